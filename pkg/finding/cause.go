package finding

// Under returns for each result the index of the result that it is shown under, or -1
// where it is a result of its own. A result with Causes is shown under the first of them
// that is a finding and counts at least as much, so that no finding is hidden behind a
// lesser one. Where that cause itself is shown under another result, this one is too.
func Under(results []Result) []int {
	at := map[Ref]int{}
	for i, r := range results {
		if _, ok := at[r.Ref()]; !ok {
			at[r.Ref()] = i
		}
	}
	under := make([]int, len(results))
	visited := make([]bool, len(results))
	var resolve func(i int) int
	resolve = func(i int) int {
		if visited[i] {
			return under[i]
		}
		visited[i], under[i] = true, -1
		r := results[i]
		if r.Weight() == "" {
			return -1
		}
		for _, ref := range r.Causes {
			c, ok := at[ref]
			if !ok || c == i || results[c].Weight().Rank() < r.Weight().Rank() {
				continue
			}
			root := c
			if up := resolve(c); up >= 0 {
				root = up
			}
			if root != i {
				under[i] = root
				break
			}
		}
		return under[i]
	}
	for i := range results {
		resolve(i)
	}
	// Results that explain each other in a circle are results of their own.
	for i, u := range under {
		if u >= 0 && under[u] >= 0 {
			under[i] = -1
		}
	}
	return under
}
