package fleetrules

import "slices"

// reasons say why something is not known. What many clusters have is one line with their
// names, so that a fleet of which nothing of one kind was read has as few lines as a cluster.
type reasons struct {
	order []reason
	names map[reason][]string
}

// reason is what was not read, or why the clusters themselves were not read.
type reason struct {
	text    string
	notRead bool
}

func (r *reasons) put(key reason, name string) {
	if r.names == nil {
		r.names = map[reason][]string{}
	}
	names, known := r.names[key]
	if !known {
		r.order = append(r.order, key)
	}
	if n := len(names); n == 0 || names[n-1] != name { // clusters come one after the other
		r.names[key] = append(names, name)
	}
}

// add adds the reasons of a cluster.
func (r *reasons) add(name string, list []string) {
	for _, text := range list {
		r.put(reason{text: text}, name)
	}
}

// addUnread adds what was not read at all.
func (r *reasons) addUnread(list []Unread) {
	for _, u := range list {
		r.put(reason{u.Reason, true}, u.Name)
	}
}

// note adds a line that names its clusters itself.
func (r *reasons) note(line string) { r.put(reason{text: line}, "") }

func (r *reasons) any() bool { return len(r.order) > 0 }

// lines returns a line for each reason.
func (r *reasons) lines() []string {
	var list []string
	for _, key := range r.order {
		names := slices.Clone(r.names[key])
		slices.Sort(names)
		switch {
		case names[0] == "":
			list = append(list, key.text)
		case key.notRead && len(names) == 1:
			list = append(list, names[0]+" was not read: "+key.text)
		case key.notRead:
			list = append(list, listed(names)+" were not read: "+key.text)
		case len(names) == 1:
			list = append(list, names[0]+": "+key.text)
		default:
			list = append(list, key.text+": "+listed(names))
		}
	}
	return list
}
