package snapshot

// The sources of credentials that a pod of aws-node can use.
const (
	CredentialsIRSA        = "IRSA"
	CredentialsPodIdentity = "PodIdentity"
	CredentialsNodeRole    = "NodeRole"
	CredentialsStaticKeys  = "StaticKeys"
	CredentialsUnknown     = "Unknown" // a shared profile, which is not read
)

// Credentials returns the source of credentials that the pod's environment selects
// and, for IRSA, the role's ARN. The AWS SDK's order decides: static keys, web
// identity, a shared profile, container credentials, instance metadata. A provider
// that was selected and fails does not fall through to the next.
// Source: aws-sdk-go-v2 config/resolve_credentials.go.
func (p Pod) Credentials() (source, roleARN string) {
	env := p.Env
	switch {
	case env["AWS_ACCESS_KEY_ID"] != "":
		return CredentialsStaticKeys, ""
	case env["AWS_WEB_IDENTITY_TOKEN_FILE"] != "":
		return CredentialsIRSA, env["AWS_ROLE_ARN"]
	case env["AWS_PROFILE"] != "" || env["AWS_SHARED_CREDENTIALS_FILE"] != "" || env["AWS_CONFIG_FILE"] != "":
		return CredentialsUnknown, ""
	case env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] != "" || env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] != "":
		return CredentialsPodIdentity, ""
	}
	return CredentialsNodeRole, ""
}
