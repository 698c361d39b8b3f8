terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "name" {}
variable "cluster_name" {}
variable "create_iam_role" {
  default = true
}
variable "iam_role_arn" {
  default = null
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  count              = var.create_iam_role ? 1 : 0
  name_prefix        = "${var.name}-eks-node-group-"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for k, v in {
    worker = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
    pull   = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
  } : k => v if var.create_iam_role }

  policy_arn = each.value
  role       = aws_iam_role.this[0].name
}

locals {
  launch_template_id = try(aws_launch_template.this[0].id, null)
}

variable "metadata_options" {
  default = { http_tokens = "required", http_put_response_hop_limit = 1 }
}

resource "aws_launch_template" "this" {
  count = 1
  name  = var.name

  dynamic "metadata_options" {
    for_each = [var.metadata_options]
    content {
      http_endpoint               = try(metadata_options.value.http_endpoint, null)
      http_tokens                 = metadata_options.value.http_tokens
      http_put_response_hop_limit = metadata_options.value.http_put_response_hop_limit
    }
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = var.cluster_name
  node_group_name = var.name
  node_role_arn   = var.create_iam_role ? aws_iam_role.this[0].arn : var.iam_role_arn
  subnet_ids      = ["subnet-1"]
  ami_type        = "AL2023_x86_64_STANDARD"

  launch_template {
    id      = local.launch_template_id
    version = "$Default"
  }
}
