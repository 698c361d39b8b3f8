package awsproxy

import (
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
)

// moto's answer to GetAccountAuthorizationDetails has no pages and, other than IAM's, the
// boundaries of roles.
var boundaryElement = regexp.MustCompile(`(?s)<PermissionsBoundary>.*?</PermissionsBoundary>`)

// details answers GetAccountAuthorizationDetails as IAM does: with a page of roles and one of
// policies.
func (p *Proxy) details(w http.ResponseWriter, r *http.Request, body []byte) {
	form, _ := url.ParseQuery(string(body)) // identify has read it
	kind := "Role"
	if form.Get("Marker") != "" {
		kind = "LocalManagedPolicy"
	}
	answer := p.accountDetails(r, kind)
	text := boundaryElement.ReplaceAllString(answer.Body.String(), "")
	if kind == "Role" {
		text = strings.Replace(text, "<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated><Marker>policies</Marker>", 1)
	}
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(answer.Code)
	_, _ = io.WriteString(w, text)
}

// boundaryRoles answers ListEntitiesForPolicy for boundaries, a filter that moto does not know.
func (p *Proxy) boundaryRoles(w http.ResponseWriter, r *http.Request, body []byte) {
	form, _ := url.ParseQuery(string(body))
	var roles struct {
		Members []struct {
			RoleName string
			Boundary string `xml:"PermissionsBoundary>PermissionsBoundaryArn"`
		} `xml:"GetAccountAuthorizationDetailsResult>RoleDetailList>member"`
	}
	if err := xml.Unmarshal(p.accountDetails(r, "Role").Body.Bytes(), &roles); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var members strings.Builder
	for _, role := range roles.Members {
		if role.Boundary == form.Get("PolicyArn") {
			members.WriteString("<member><RoleName>" + role.RoleName + "</RoleName></member>")
		}
	}
	queryAnswer(w, "ListEntitiesForPolicy", "<PolicyRoles>"+members.String()+"</PolicyRoles><IsTruncated>false</IsTruncated>")
}

// accountDetails asks moto for all entities of a kind, with the credentials of a request.
func (p *Proxy) accountDetails(r *http.Request, kind string) *httptest.ResponseRecorder {
	form := url.Values{"Action": {"GetAccountAuthorizationDetails"}, "Version": {"2010-05-08"}, "Filter.member.1": {kind}}
	ask := r.Clone(r.Context())
	ask.Body, ask.ContentLength = io.NopCloser(strings.NewReader(form.Encode())), int64(len(form.Encode()))
	answer := httptest.NewRecorder()
	p.forward.ServeHTTP(answer, ask)
	return answer
}
