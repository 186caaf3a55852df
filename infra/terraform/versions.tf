terraform {
  required_version = ">= 1.9" # of Terraform or OpenTofu, whose validations may compare variables

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}
