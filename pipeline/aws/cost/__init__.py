"""What Mailfold costs in AWS, worked out from what is sent, without asking AWS."""
