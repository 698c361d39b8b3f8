# Repairs arn:aws:eks:eu-west-1:111122223333:cluster/shop. Resources that you have already are to be changed, not added.

# 1. make eksClusterRole-nodes, a role for the nodes of eksClusterRole alone (NR101)
# moving the nodes to it is left to you, below

resource "aws_iam_role" "eksClusterRole-nodes" {
  name               = "eksClusterRole-nodes"
  description        = "Amazon EKS node role"
  assume_role_policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Effect": "Allow",
          "Principal": {
            "Service": [
              "ec2.amazonaws.com"
            ]
          },
          "Action": [
            "sts:AssumeRole"
          ]
        }
      ]
    }
  EOT
}

resource "aws_iam_role_policy_attachment" "eksClusterRole-nodes_AmazonEKSWorkerNodePolicy" {
  role       = aws_iam_role.eksClusterRole-nodes.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
}

resource "aws_iam_role_policy_attachment" "eksClusterRole-nodes_AmazonEC2ContainerRegistryPullOnly" {
  role       = aws_iam_role.eksClusterRole-nodes.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}

resource "aws_eks_access_entry" "eksClusterRole-nodes" {
  cluster_name  = "shop"
  principal_arn = aws_iam_role.eksClusterRole-nodes.arn
  type          = "EC2_LINUX"
}
# proof: the role is there, and nothing uses it yet

# 2. make gpuNodeRole-nodes, a role for the nodes of gpuNodeRole alone (NR103)
# moving the nodes to it is left to you, below; gpuNodeRole has permissions boundary team-boundary, and the new role has none: where your account demands one, make the role with kubectl noderole create

resource "aws_iam_role" "gpuNodeRole-nodes" {
  name               = "gpuNodeRole-nodes"
  description        = "Amazon EKS node role"
  assume_role_policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Effect": "Allow",
          "Principal": {
            "Service": [
              "ec2.amazonaws.com"
            ]
          },
          "Action": [
            "sts:AssumeRole"
          ]
        }
      ]
    }
  EOT
}

resource "aws_iam_role_policy_attachment" "gpuNodeRole-nodes_AmazonEKSWorkerNodePolicy" {
  role       = aws_iam_role.gpuNodeRole-nodes.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
}

resource "aws_iam_role_policy_attachment" "gpuNodeRole-nodes_AmazonEC2ContainerRegistryPullOnly" {
  role       = aws_iam_role.gpuNodeRole-nodes.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}

resource "aws_eks_access_entry" "gpuNodeRole-nodes" {
  cluster_name  = "shop"
  principal_arn = aws_iam_role.gpuNodeRole-nodes.arn
  type          = "EC2_LINUX"
}
# proof: the role is there, and nothing uses it yet

# 3. make oldNodeRole again (NR104)
# what else it was allowed is not known any more; between the two its nodes are refused, for seconds

resource "aws_iam_role" "oldNodeRole" {
  name               = "oldNodeRole"
  description        = "Amazon EKS node role"
  assume_role_policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Effect": "Allow",
          "Principal": {
            "Service": [
              "ec2.amazonaws.com"
            ]
          },
          "Action": [
            "sts:AssumeRole"
          ]
        }
      ]
    }
  EOT
}

resource "aws_iam_role_policy_attachment" "oldNodeRole_AmazonEKSWorkerNodePolicy" {
  role       = aws_iam_role.oldNodeRole.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
}

resource "aws_iam_role_policy_attachment" "oldNodeRole_AmazonEC2ContainerRegistryPullOnly" {
  role       = aws_iam_role.oldNodeRole.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}
# the entry that is there is to be replaced: terraform apply -replace=aws_eks_access_entry.oldNodeRole

resource "aws_eks_access_entry" "oldNodeRole" {
  cluster_name  = "shop"
  principal_arn = aws_iam_role.oldNodeRole.arn
  type          = "EC2_LINUX"
}
# proof: the role is there, and its access entry is younger

# 4. let kubelet on bastionRole call what it needs (NR201, NR203)

resource "aws_iam_role_policy_attachment" "bastionRole_AmazonEKSWorkerNodePolicy" {
  role       = "bastionRole"
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
}
# proof: ec2:DescribeInstances, ec2:DescribeInstanceTypes, ec2:DescribeRouteTables, ec2:DescribeSecurityGroups, ec2:DescribeSubnets, ec2:DescribeVolumes, ec2:DescribeVolumesModifications, ec2:DescribeVpcs, eks:DescribeCluster become allowed (AmazonEKSWorkerNodePolicy)

# 5. allow bastionRole to pull images (NR202)

resource "aws_iam_role_policy_attachment" "bastionRole_AmazonEC2ContainerRegistryPullOnly" {
  role       = "bastionRole"
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}
# proof: ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchImportUpstreamImage become allowed (AmazonEC2ContainerRegistryPullOnly)

# 6. allow eksCNIRole what aws-node calls (NR206)

resource "aws_iam_role_policy_attachment" "eksCNIRole_AmazonEKS_CNI_Policy" {
  role       = "eksCNIRole"
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
}
# proof: ec2:CreateTags becomes allowed (AmazonEKS_CNI_Policy)

# 7. let bastionRole into the cluster (NR501)

resource "aws_eks_access_entry" "bastionRole" {
  cluster_name  = "shop"
  principal_arn = "arn:aws:iam::111122223333:role/bastionRole"
  type          = "EC2_LINUX"
}
# proof: the role has an access entry of type EC2_LINUX

# 8. restart aws-node, so that every pod uses IRSA role eksCNIRole (NR602, NR205)
# its pods are replaced as the DaemonSet's update strategy says; pods that run keep their addresses
# not Terraform's: kubectl -n kube-system rollout restart daemonset aws-node && kubectl -n kube-system rollout status daemonset aws-node
# proof: the environment of every pod selects it

# 9. take AmazonEKS_CNI_Policy off eksNodeRole (NR205)
# remove from your configuration: policy arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy of role eksNodeRole
# proof: the role carries no CNI permissions, and its nodes keep what they call

# left to you: NR101 eksClusterRole is also the cluster role of shop
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed

# left to you: NR102 eksClusterRole is also the cluster role of staging
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed

# left to you: NR103 gpuNodeRole is also the pod execution role of Fargate profile batch
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed

# left to you: NR105 ip-10-0-3-9.eu-west-1.compute.internal has no role: its instance has no instance profile
#   which instance profile it is to name is yours to say

# left to you: NR202 gpuNodeRole cannot pull images from ECR
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed (NR103)

# left to you: NR301 eksClusterRole does not let EC2 in
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed (NR102)

# left to you: NR801 EKS reports DEGRADED: node group legacy
#   it is what was reported: it ends when its causes are repaired

# left to you: NR801 EKS reports DEGRADED: node group old
#   it is what was reported: it ends when its causes are repaired

# left to you: NR207 bastionRole allows what no node calls: commands on any instance
#   fix has no step for it; it is yours to do

# left to you: NR303 eksClusterRole may also be assumed by eks.amazonaws.com
#   the role is also somebody else's: nodes need a role of their own, and a node group's role cannot be changed (NR102)

# left to you: NR701 pods can get bastionRole's credentials on 1 of 1 instances
#   fix has no step for it; it is yours to do
