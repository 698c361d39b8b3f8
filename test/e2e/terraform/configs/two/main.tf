# Two clusters of one name in two regions, and one that is not part of the code.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "region" {
  default = "eu-west-1"
}

provider "aws" {
  region              = var.region
  allowed_account_ids = ["111122223333"]
}

provider "aws" {
  alias               = "us"
  region              = "us-east-1"
  allowed_account_ids = ["111122223333"]
}

resource "aws_iam_role" "cluster" {
  name = "cluster"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_iam_role" "node" {
  name = "node"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  managed_policy_arns = [
    "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
    "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
  ]
}

resource "aws_eks_cluster" "eu" {
  name     = "shop-eu"
  role_arn = aws_iam_role.cluster.arn
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

resource "aws_eks_cluster" "us" {
  provider = aws.us
  name     = "shop-us"
  role_arn = aws_iam_role.node.arn # the role of nodes
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

resource "aws_eks_node_group" "eu" {
  cluster_name    = aws_eks_cluster.eu.id
  node_group_name = "apps"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = ["subnet-1"]
}

resource "aws_eks_node_group" "us" {
  provider        = aws.us
  cluster_name    = aws_eks_cluster.us.id
  node_group_name = "apps"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = ["subnet-1"]
}

resource "aws_eks_node_group" "elsewhere" {
  cluster_name    = "elsewhere"
  node_group_name = "apps"
  node_role_arn   = "arn:aws:iam::111122223333:role/elsewhere"
  subnet_ids      = ["subnet-1"]
}
