"""devices.json is what the installed Playwright has; scripts/write_device_presets writes it anew."""

from playwright.sync_api import sync_playwright

from fleet.models.devices import DEVICES


def test_the_devices_are_those_of_the_installed_playwright() -> None:
    with sync_playwright() as playwright:
        installed = playwright.devices
        expected = {
            device: {option: value for option, value in preset.items() if option != "default_browser_type"}
            for device, preset in installed.items()
        }

    assert expected == DEVICES
