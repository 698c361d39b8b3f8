package finding

// RuleDoc is what a rule says about itself, for reports and for explain.
type RuleDoc struct {
	// ID is stable, such as NR201; Name is the id in words.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Severity is that of its failures.
	Severity Severity `json:"severity"`
	Concern  Concern  `json:"concern,omitempty"`
	// Security is set where a failure lets somebody do what only others should.
	Security bool `json:"security,omitempty"`
	// Fleet is set for a rule about several clusters, which only a fleet's report has.
	Fleet bool `json:"fleet,omitempty"`
	// Title is what a pass shows, Why what happens otherwise, Fix how to repair it.
	// Needs are the facts without which the result is unknown. Refs are the
	// sources.
	Title string   `json:"title"`
	Why   string   `json:"why"`
	Fix   string   `json:"fix"`
	Needs []string `json:"needs,omitempty"`
	Refs  []string `json:"refs,omitempty"`
}
