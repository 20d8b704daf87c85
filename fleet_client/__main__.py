from fleet_client.cli.app import main

main()
