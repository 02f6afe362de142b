package main

// edgeBugs are where muster meets what it does not know.
var edgeBugs = []bug{
	{
		20, "the client of nodes follows redirects", "refresh/probe/web.go",
		[]edit{{"p.transport.RoundTrip(request)", "(&http.Client{Transport: p.transport}).Do(request)"}},
		[]catch{{"component", "./refresh/probe", "TestPagesJudge", nil}},
	},
	{
		20, "a redirect passes for an answer", "refresh/prober.go",
		[]edit{{"	case 300 <= status && status < 400:\n", "	case 399 < status && status < 400:\n"}},
		[]catch{{"component", "./refresh/poll", "TestBadAnswers", nil}},
	},
	{
		21, "an address is judged before its name is resolved", "refresh/poll/dial.go",
		[]edit{
			{"		ControlContext: d.control,\n", ""},
			{
				"	before := d.short.Load()\n",
				"	if to, err := netip.ParseAddrPort(address); err == nil {\n		if err := d.rules.Check(to); err != nil {\n" +
					"			return nil, err\n		}\n	}\n	before := d.short.Load()\n",
			},
		},
		[]catch{{"component", "./refresh/poll", "TestDialJudgesTheResolvedAddress", nil}},
	},
	{
		22, "the body of a request may be of any length", "http/body.go",
		[]edit{{"io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))", "io.ReadAll(r.Body)"}},
		[]catch{{"component", "./http", "TestBodyLimits", nil}},
	},
	{
		22, "the body of an answer may be of any length", "refresh/poll/body.go",
		[]edit{{"	case int64(len(body)) > limit:\n", "	case false:\n"}, {"io.LimitReader(in, limit+1)", "in"}},
		[]catch{{"component", "./refresh/poll", "TestBadAnswers", nil}},
	},
}
