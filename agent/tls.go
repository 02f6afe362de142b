package agent

// TLS is a peer's certificate and whom it trusts. The three files are given together or not at all.
type TLS struct {
	CAFile       string // PEM: the authorities whose certificates this peer trusts, one or more
	CertFile     string // PEM: this peer's certificate, and what leads from it to an authority
	KeyFile      string // PEM: its private key, which only its owner may read
	VerifyClient bool   // the API wants a certificate of every caller
}
