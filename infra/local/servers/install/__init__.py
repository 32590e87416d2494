"""What is not on the machine yet: Debian packages, a Java, and downloads with a known digest."""
