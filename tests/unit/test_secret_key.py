from pathlib import Path

from launcher.secret_key import kept_secret_key


def test_the_key_of_a_data_folder_stays_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    key = kept_secret_key(tmp_path)

    assert len(key) >= 32
    assert kept_secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_no_two_folders_share_a_key(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert kept_secret_key(tmp_path) != kept_secret_key(tmp_path / "other")
