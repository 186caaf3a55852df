variable "stack_name" {
  description = "Name of the CloudFormation stack, and of SES's configuration set. Its resources are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.stack_name))
    error_message = "Use lower-case letters, digits and hyphens, a letter first, at most 40 characters."
  }
}

variable "code_bucket" {
  description = "Name of an existing S3 bucket in the stack's region, for the template and the bundle."
  type        = string
}

variable "key_prefix" {
  description = "Prefix of the keys of template and bundle in that bucket, such as \"mailfold/\"."
  type        = string
  default     = ""
}

variable "template_file" {
  description = "Path of the template, written by `mailfold deploy --template-only`. By default that of this repository."
  type        = string
  default     = null
}

variable "bundle_file" {
  description = "Path of the Lambda bundle, written by `mailfold deploy --bundle-only`, which is uploaded. Either this or bundle_key."
  type        = string
  default     = null
}

variable "bundle_key" {
  description = "Key of a Lambda bundle that is in the bucket already. Either this or bundle_file."
  type        = string
  default     = null

  validation {
    condition     = (var.bundle_key == null) != (var.bundle_file == null)
    error_message = "Set either bundle_file, which is uploaded, or bundle_key."
  }
}

variable "parameters" {
  description = "Parameters of the template by name, such as { StreamShards = \"2\" }. One that is left out has the template's default."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.parameters), local.parameter_names)) == 0
    error_message = "The template has no such parameter, or the module sets it itself (CodeBucket, CodeKey)."
  }
}

variable "iam_role_arn" {
  description = "ARN of a role that CloudFormation assumes to change the stack. By default it uses Terraform's credentials."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the stack, which CloudFormation passes on to its resources."
  type        = map(string)
  default     = {}
}
