"""What is between the clients of servers and the network: waits that end when a call must be over."""
