terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111122223333"]
}

locals {
  ec2_trust = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role" "shared" {
  name               = "shop-shared"
  assume_role_policy = local.ec2_trust
}

resource "aws_eks_cluster" "shop" {
  name     = "shop"
  role_arn = aws_iam_role.shared.arn
  vpc_config {
    subnet_ids = ["subnet-1"]
  }
}

# The cluster's own role.
resource "aws_eks_node_group" "shared" {
  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "shared"
  node_role_arn   = aws_iam_role.shared.arn
  subnet_ids      = ["subnet-1"]
}

# No permission to pull, and a policy of its own whose ARN is known after apply.
resource "aws_iam_role" "nopull" {
  name               = "shop-no-pull"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_policy" "own" {
  name   = "shop-own"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["logs:PutLogEvents"], Resource = "*" }] })
}

resource "aws_iam_role_policy_attachment" "nopull" {
  for_each = { worker = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy", own = aws_iam_policy.own.arn }

  role       = aws_iam_role.nopull.id
  policy_arn = each.value
}

resource "aws_eks_node_group" "nopull" {
  cluster_name    = aws_eks_cluster.shop.id
  node_group_name = "no-pull"
  node_role_arn   = aws_iam_role.nopull.arn
  subnet_ids      = ["subnet-1"]
}

# The wrong trust.
resource "aws_iam_role" "trust" {
  name = "shop-trust"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "eks.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "trust" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly"])

  role       = aws_iam_role.trust.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_node_group" "trust" {
  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "trust"
  node_role_arn   = aws_iam_role.trust.arn
  subnet_ids      = ["subnet-1"]
}

# The CNI policy, although aws-node has its own role.
resource "aws_iam_role" "cni" {
  name = "shop-cni"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"], Principal = { Service = "pods.eks.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "cni" {
  role       = aws_iam_role.cni.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
}

resource "aws_eks_pod_identity_association" "cni" {
  cluster_name    = aws_eks_cluster.shop.name
  namespace       = "kube-system"
  service_account = "aws-node"
  role_arn        = aws_iam_role.cni.arn
}

resource "aws_iam_role" "node" {
  name               = "shop-node"
  assume_role_policy = local.ec2_trust
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_eks_node_group" "node" {
  cluster_name    = aws_eks_cluster.shop.name
  node_group_name = "node"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = ["subnet-1"]

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.arn
  }
}

# Pods reach the instance metadata of these nodes.
resource "aws_launch_template" "node" {
  name = "shop-node"
  metadata_options {
    http_tokens = "optional"
  }
}
