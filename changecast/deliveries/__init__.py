"""What operators ask about deliveries and endpoints, and what they can set going again: the work behind the commands."""
