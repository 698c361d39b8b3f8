# What is known only after apply: roles behind locals and dynamic blocks, a document that is
# read late, and one with an ARN in it that AWS makes.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111122223333"]
}

variable "secret" {
  default   = "correct-horse-battery"
  sensitive = true
}

locals {
  role = {
    cluster = aws_iam_role.cluster.arn
    node    = aws_iam_role.node.arn
  }
  cluster_role = local.role.cluster
  local_node   = aws_iam_role.node.arn
}

resource "aws_iam_role" "cluster" {
  name = "shop-cluster"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_eks_cluster" "shop" {
  name     = "shop"
  role_arn = try(aws_iam_role.cluster.arn, null)
  access_config {
    authentication_mode = "API"
  }
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

# Read when the plan is applied, although all of it is known.
data "aws_iam_policy_document" "late" {
  depends_on = [aws_iam_role.cluster]

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "node" {
  name               = "shop-node"
  assume_role_policy = data.aws_iam_policy_document.late.json
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# An ARN that AWS makes hides the whole document.
resource "aws_iam_role_policy" "node" {
  name = "secrets"
  role = aws_iam_role.node.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "iam:GetRole", Resource = aws_iam_role.cluster.arn }]
  })
}

# So does a secret.
resource "aws_iam_role_policy" "secret" {
  name = "secret"
  role = aws_iam_role.node.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Action = "s3:GetObject", Resource = "arn:aws:s3:::${var.secret}" }]
  })
}

resource "aws_eks_node_group" "node" {
  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "node"
  node_role_arn   = local.local_node
  subnet_ids      = ["subnet-1"]
}
