variable "cluster_name" {
  type = string
}

module "karpenter" {
  source = "../irsa"
}

resource "aws_iam_role" "karpenter" {
  count       = 1
  name_prefix = "karpenter-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "karpenter" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"])
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
  role       = aws_iam_role.karpenter[0].name
}

output "karpenter" {
  value = merge(
    module.karpenter,
    {
      node_iam_role_name = try(aws_iam_role.karpenter[0].name, "")
      node_iam_role_arn  = try(aws_iam_role.karpenter[0].arn, "")
    }
  )
}
