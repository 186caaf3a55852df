locals {
  template_file = coalesce(var.template_file, "${path.module}/../mailfold.yaml")

  # Names in the template's section `Parameters`. Its short forms of functions are no YAML that yamldecode reads.
  declarations    = regexall("(?m)^  (\\w+):\\r?\\n    Type: (?:String|Number|CommaDelimitedList)\\s*$", file(local.template_file))
  parameter_names = setsubtract([for match in local.declarations : match[0]], ["CodeBucket", "CodeKey"])

  # A changed file has another key. Lambda would keep the old code under the same one, and CloudFormation the old template.
  template_key = "${var.key_prefix}template-${filesha256(local.template_file)}.yaml"
  uploaded_key = var.bundle_file == null ? "" : "${var.key_prefix}bundle-${filesha256(var.bundle_file)}.zip"
  bundle_key   = var.bundle_key == null ? local.uploaded_key : var.bundle_key

  parameters = merge(var.parameters, { CodeBucket = var.code_bucket, CodeKey = local.bundle_key })
}
