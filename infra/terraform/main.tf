# The published template and bundle, uploaded under their hashes, and the stack of them. Nothing here adds to the template.

data "aws_s3_bucket" "code" {
  bucket = var.code_bucket
}

resource "aws_s3_object" "template" {
  bucket       = data.aws_s3_bucket.code.id
  key          = local.template_key
  source       = local.template_file
  content_type = "application/yaml"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "bundle" {
  count = var.bundle_file == null ? 0 : 1

  bucket       = data.aws_s3_bucket.code.id
  key          = local.bundle_key
  source       = var.bundle_file
  content_type = "application/zip"

  # A stack that rolls back needs its previous bundle, so that one is deleted after the update.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "mailfold" {
  name         = var.stack_name
  template_url = "https://${data.aws_s3_bucket.code.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  parameters   = local.parameters
  capabilities = ["CAPABILITY_IAM"]
  iam_role_arn = var.iam_role_arn
  tags         = var.tags

  depends_on = [aws_s3_object.bundle]
}
