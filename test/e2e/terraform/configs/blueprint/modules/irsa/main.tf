resource "aws_iam_role" "this" {
  name_prefix = "controller-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "pods.eks.amazonaws.com" } }]
  })
}

output "iam_role_arn" {
  value = aws_iam_role.this.arn
}
