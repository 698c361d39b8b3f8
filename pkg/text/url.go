package text

// url is a URL in a text, up to a space or a quote; urlSecrets is what may be secret in it:
// everything before the last @, and the query and fragment.
var (
	url        = Pattern("[A-Za-z][A-Za-z0-9+.-]*://[^\\s\"'`<>]+")
	urlSecrets = Pattern(`^([^:]+://)(?:[^?#]*@)?([^?#]*)(?:[?#].*?)?([:,.;)\]]*)$`)
	// proxyAddress is the error of net/http about HTTPS_PROXY, whose value may have no scheme,
	// and endpointURL that of the AWS SDK about AWS_ENDPOINT_URL, whose value may have spaces.
	proxyAddress = Pattern(`invalid proxy address .*`)
	endpointURL  = Pattern(`Failed to parse uri: .*`)
)

// WithoutSecrets returns a text in which no URL has user information, a query or a
// fragment, which may hold passwords and tokens.
func WithoutSecrets(s string) string {
	s = proxyAddress().ReplaceAllString(s, "invalid proxy address in HTTPS_PROXY or HTTP_PROXY")
	s = endpointURL().ReplaceAllString(s, "AWS_ENDPOINT_URL is not a URL")
	return url().ReplaceAllStringFunc(s, func(found string) string { return urlSecrets().ReplaceAllString(found, "$1$2$3") })
}
