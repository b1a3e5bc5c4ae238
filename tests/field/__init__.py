"""What people in the field hit, and what is right now; each test names the public source."""
