# A cluster that exists, and a change: with step=2 the node role is replaced under its name,
# its permission to pull is removed, and a second node group is added.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111122223333"]
}

variable "step" {
  default = 1
}

locals {
  ec2_trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
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
  role_arn = aws_iam_role.cluster.arn
  access_config {
    authentication_mode = "API"
  }
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

resource "aws_iam_role" "node" {
  name               = "shop-node"
  name_prefix        = var.step == 1 ? null : ""
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(concat(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"], var.step == 1 ? ["AmazonEC2ContainerRegistryPullOnly"] : []))

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_access_entry" "node" {
  cluster_name  = aws_eks_cluster.shop.name
  principal_arn = "arn:aws:iam::111122223333:role/shop-node"
  type          = "EC2_LINUX"
}

resource "aws_eks_node_group" "node" {
  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "node"
  node_role_arn   = "arn:aws:iam::111122223333:role/shop-node"
  subnet_ids      = ["subnet-1"]
}

resource "aws_eks_node_group" "more" {
  count = var.step - 1

  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "more"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = ["subnet-1"]
}
