// Package probe is what the kinds of prober share: how a config is read (Read), who they say they are and how their
// connections are secured (Login, TLS, CheckScram), the clients they keep between polls (Links, each over a Line), and pages
// of HTTP (Web). Each kind has a folder below this one, and exports one refresh.Maker, named New. The program lists the kinds
// it wants in a refresh.Probers; nothing registers itself.
//
// A config is a flat JSON object. It lives in the replicated state, which every reader of the API sees and every backup
// holds, so no secret may be in it: keys that name one are refused unless they end in _file or _env and so only say where
// it is kept, on each peer. Which files and variables may be named at all is judged by refresh.Env.Reveal.
//
// Every kind passes the suite in probetest.
package probe
