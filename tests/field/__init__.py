"""What people hit in neighbouring projects, and what mgcl does: each test names the public report."""
