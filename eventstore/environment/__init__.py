"""What the environment gives to the commands: names of variables, and credentials in files."""
