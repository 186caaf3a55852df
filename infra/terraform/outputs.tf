output "outputs" {
  description = "All outputs of the stack by name; see the end of the template."
  value       = aws_cloudformation_stack.mailfold.outputs
}

output "stack_id" {
  description = "ARN of the stack."
  value       = aws_cloudformation_stack.mailfold.id
}

output "configuration_set" {
  description = "Name of the SES configuration set to send with."
  value       = aws_cloudformation_stack.mailfold.outputs["ConfigurationSet"]
}

output "sender_policy_arn" {
  description = "ARN of the policy that allows a sender to look up addresses; attach it to the sender's role."
  value       = aws_cloudformation_stack.mailfold.outputs["SenderPolicyArn"]
}

output "suppression_table" {
  description = "Name of the stack's DynamoDB table."
  value       = aws_cloudformation_stack.mailfold.outputs["SuppressionTable"]
}

output "log_bucket" {
  description = "Name of the bucket of the log."
  value       = aws_cloudformation_stack.mailfold.outputs["LogBucket"]
}
