"""A deployment to AWS: the Lambdas' bundle, the template, its change set, and what stands beside the stack."""
