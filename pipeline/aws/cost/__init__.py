"""Monthly cost of Mailfold in AWS, calculated from the mail volume without any request to AWS."""
