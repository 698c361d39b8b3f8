package awsproxy

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServiceUse is what IAM's last accessed information says of a service.
type ServiceUse struct {
	// LastUsed is the last attempt of any action; the zero time for none.
	LastUsed time.Time
	// Actions are the tracked actions; the zero time for one without an attempt.
	Actions map[string]time.Time
}

// usageJob is one report.
type usageJob struct {
	arn    string
	level  string
	polled int
}

// usagePageSize is how many services a page has, whatever is asked for.
const usagePageSize = 2

// SetUsage says what IAM has seen of a role, by its ARN: what it did by service. Reports are
// made at a time that may be to come: moto makes roles now, and a test may want old ones.
func (p *Proxy) SetUsage(roleARN string, at time.Time, services map[string]ServiceUse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reportedAt = at
	if p.usage == nil {
		p.usage = map[string]map[string]ServiceUse{}
	}
	p.usage[roleARN] = services
}

// generateUsage begins a report, which moto cannot.
func (p *Proxy) generateUsage(w http.ResponseWriter, body []byte) {
	form, _ := url.ParseQuery(string(body)) // identify has read it
	p.mu.Lock()
	defer p.mu.Unlock()
	arn := form.Get("Arn")
	if _, known := p.usage[arn]; !known {
		refuseQuery(w, http.StatusNotFound, "NoSuchEntity", "ARN "+arn+" not found")
		return
	}
	if p.jobs == nil {
		p.jobs = map[string]*usageJob{}
	}
	id := fmt.Sprintf("11111111-2222-3333-4444-%012d", len(p.jobs)+1)
	p.jobs[id] = &usageJob{arn: arn, level: form.Get("Granularity")}
	queryAnswer(w, "GenerateServiceLastAccessedDetails", "<JobId>"+id+"</JobId>")
}

// getUsage answers that a report is in progress, once, and then its pages.
func (p *Proxy) getUsage(w http.ResponseWriter, body []byte) {
	form, _ := url.ParseQuery(string(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	job := p.jobs[form.Get("JobId")]
	if job == nil {
		refuseQuery(w, http.StatusNotFound, "NoSuchEntity", "no such job")
		return
	}
	at := p.reportedAt.UTC().Format(time.RFC3339)
	created := "<JobCreationDate>" + at + "</JobCreationDate>"
	if job.polled++; job.polled == 1 {
		queryAnswer(w, "GetServiceLastAccessedDetails", "<JobStatus>IN_PROGRESS</JobStatus><JobType>"+job.level+"</JobType>"+created+"<IsTruncated>false</IsTruncated><ServicesLastAccessed/>")
		return
	}
	services := p.usage[job.arn]
	names := slices.Sorted(maps.Keys(services))
	from, _ := strconv.Atoi(form.Get("Marker"))
	to := min(from+usagePageSize, len(names))
	var list strings.Builder
	for _, name := range names[from:to] {
		list.WriteString(serviceXML(job, name, services[name]))
	}
	more := "<IsTruncated>false</IsTruncated>"
	if to < len(names) {
		more = fmt.Sprintf("<IsTruncated>true</IsTruncated><Marker>%d</Marker>", to)
	}
	queryAnswer(w, "GetServiceLastAccessedDetails", "<JobStatus>COMPLETED</JobStatus><JobType>"+job.level+"</JobType>"+created+
		"<JobCompletionDate>"+at+"</JobCompletionDate>"+more+"<ServicesLastAccessed>"+list.String()+"</ServicesLastAccessed>")
}

// serviceXML is a service of a report; without an attempt it has neither date nor entity.
func serviceXML(job *usageJob, name string, use ServiceUse) string {
	text := "<member><ServiceName>" + name + "</ServiceName><ServiceNamespace>" + name + "</ServiceNamespace><TotalAuthenticatedEntities>0</TotalAuthenticatedEntities>"
	if !use.LastUsed.IsZero() {
		text += "<LastAuthenticated>" + use.LastUsed.UTC().Format(time.RFC3339) + "</LastAuthenticated><LastAuthenticatedEntity>" + job.arn + "</LastAuthenticatedEntity><LastAuthenticatedRegion>eu-west-1</LastAuthenticatedRegion>"
	}
	if job.level == "ACTION_LEVEL" && len(use.Actions) > 0 {
		text += "<TrackedActionsLastAccessed>"
		for _, action := range slices.Sorted(maps.Keys(use.Actions)) {
			text += "<member><ActionName>" + action + "</ActionName>"
			if at := use.Actions[action]; !at.IsZero() {
				text += "<LastAccessedEntity>" + job.arn + "</LastAccessedEntity><LastAccessedTime>" + at.UTC().Format(time.RFC3339) + "</LastAccessedTime><LastAccessedRegion>eu-west-1</LastAccessedRegion>"
			}
			text += "</member>"
		}
		text += "</TrackedActionsLastAccessed>"
	}
	return text + "</member>"
}

// queryAnswer writes an answer of IAM.
func queryAnswer(w http.ResponseWriter, operation, result string) {
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></%[1]sResponse>`, operation, result)
}

// refuseQuery writes an error of IAM.
func refuseQuery(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>`, code, message)
}
