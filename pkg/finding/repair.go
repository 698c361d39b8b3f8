package finding

// Repair is a kind of repair that fix has. A rule names its own; the planner has a
// function for each.
type Repair string

// The repairs, in the order in which they are planned: what aws-node gets first, and
// what takes permissions away last.
const (
	MoveCNI             Repair = "moveCNI"             // give aws-node a role of its own
	SeparateRole        Repair = "separateRole"        // create a role for the nodes alone
	RecreateRole        Repair = "recreateRole"        // recreate a node role that was deleted
	FillInstanceProfile Repair = "fillInstanceProfile" // put the role into the instance profile
	AttachWorkerPolicy  Repair = "attachWorkerPolicy"  // permissions of kubelet
	AttachPullPolicy    Repair = "attachPullPolicy"    // permissions of image pulls
	AllowAgent          Repair = "allowAgent"          // permissions of the Pod Identity Agent
	AllowCNI            Repair = "allowCNI"            // permissions of aws-node
	PrepareCNIUpgrade   Repair = "prepareCNIUpgrade"   // permissions that a later vpc-cni needs
	TrustEC2            Repair = "trustEC2"            // EC2 in the trust policy
	GrantAccess         Repair = "grantAccess"         // access entry or aws-auth mapping
	ReplaceAccessEntry  Repair = "replaceAccessEntry"  // delete and create an access entry
	CorrectMapping      Repair = "correctMapping"      // entry of aws-auth
	AssociatePolicy     Repair = "associatePolicy"     // access policy of Auto Mode's nodes
	RepairIRSA          Repair = "repairIRSA"          // OIDC provider, trust policy
	RepairPodIdentity   Repair = "repairPodIdentity"   // agent, trust policy
	AlignAddonRole      Repair = "alignAddonRole"      // role of the vpc-cni add-on
	RestartAWSNode      Repair = "restartAWSNode"      // replace pods of aws-node
	DetachCNI           Repair = "detachCNI"           // CNI permissions of the node role
)

// Repairs lists every Repair in the order in which they are planned.
var Repairs = []Repair{
	MoveCNI, SeparateRole, RecreateRole, FillInstanceProfile, AttachWorkerPolicy, AttachPullPolicy, AllowAgent, AllowCNI,
	PrepareCNIUpgrade, TrustEC2, GrantAccess, ReplaceAccessEntry, CorrectMapping, AssociatePolicy, RepairIRSA,
	RepairPodIdentity, AlignAddonRole, RestartAWSNode, DetachCNI,
}
