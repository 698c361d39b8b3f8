terraform {
  required_providers {
    aws  = { source = "hashicorp/aws" }
    time = { source = "hashicorp/time" }
  }
}
variable "name" {}

resource "aws_iam_role" "this" {
  count       = 1
  name_prefix = "${var.name}-cluster-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  role_arn = aws_iam_role.this[0].arn
  version  = "1.33"

  access_config {
    authentication_mode = "API_AND_CONFIG_MAP"
  }
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

resource "time_sleep" "this" {
  create_duration = "30s"
  triggers = {
    cluster_name = aws_eks_cluster.this.id
  }
}

output "name" {
  value = time_sleep.this.triggers["cluster_name"]
}
output "role_arn" {
  value = try(aws_iam_role.this[0].arn, null)
}
