"""Deployment to AWS: the Lambda bundle, the template, change sets, and the resources beside the stack."""
