package finding

// Symptom is what EKS and the cluster report when something else is wrong. Rules that
// report one give it to their results; rules that can explain one say so, and their
// failures become the Causes of such results.
type Symptom struct {
	Kind SymptomKind
	// RoleARN limits the causes to results on that role, and results that are about no
	// role; empty for none.
	RoleARN string
	// Action limits the causes to results by which this action is denied; empty for
	// none.
	Action string
}

// SymptomKind is a kind of Symptom.
type SymptomKind string

// The kinds of symptoms.
const (
	NotJoined SymptomKind = "notJoined" // a node does not join
	NotReady  SymptomKind = "notReady"  // a node joins and does not become Ready
	NoNetwork SymptomKind = "noNetwork" // a pod gets no address
	NoImage   SymptomKind = "noImage"   // an image is not pulled from a private registry of ECR
	// NoPublicImage: an image is not pulled from public ECR.
	NoPublicImage SymptomKind = "noPublicImage"
	// NoFargateNode: EKS starts no node for a pod of a Fargate profile.
	NoFargateNode SymptomKind = "noFargateNode"
	// DeniedCall: a call of AWS was denied, and the Symptom may say which.
	DeniedCall SymptomKind = "deniedCall"
)

// SymptomKinds lists every SymptomKind.
var SymptomKinds = []SymptomKind{NotJoined, NotReady, NoNetwork, NoImage, NoPublicImage, NoFargateNode, DeniedCall}
