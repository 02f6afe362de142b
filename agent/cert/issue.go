package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"time"
)

// Issued is a certificate and its key in PEM.
type Issued struct{ Cert, Key []byte }

// backdate lets a certificate be used at once by a host whose clock is a little behind.
const backdate = 5 * time.Minute

// NewAuthority makes an authority that signs certificates for peers and clients.
func NewAuthority(name string, now time.Time, lasts time.Duration) (Issued, error) {
	t, err := template(now, lasts)
	if err != nil {
		return Issued{}, err
	}
	t.Subject = pkix.Name{CommonName: fmt.Sprintf("%s %s", name, t.SerialNumber.Text(16)[:8]), Organization: []string{"muster"}}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.MaxPathLenZero = true // it signs no other authority
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Issued{}, err
	}
	return sign(signing{cert: t, by: t, key: key, with: key})
}

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// OpenAuthority reads an authority and its key, and judges whether it may sign now.
func OpenAuthority(certFile, keyFile string, now time.Time) (*Authority, error) {
	p, err := LoadPair(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("authority: %w: name its files, or make one with muster tls ca create", err)
	}
	if err != nil {
		return nil, err
	}
	key, ok := p.PrivateKey.(crypto.Signer)
	switch {
	case !ok:
		return nil, fmt.Errorf("key %s cannot sign", keyFile)
	case !p.Leaf.IsCA:
		return nil, fmt.Errorf("%s is the certificate of %s, which is no authority: name the file that muster tls ca create made",
			certFile, called(p.Leaf))
	case now.After(p.Leaf.NotAfter):
		return nil, fmt.Errorf("the authority %s ended %s: make a new one with muster tls ca create", certFile, day(p.Leaf.NotAfter))
	}
	return &Authority{cert: p.Leaf, key: key}, nil
}

// NotAfter is when the authority ends, and with it what it signed.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

// Request says what a certificate is for.
type Request struct {
	Name  string // of whoever has it, for people
	Group string
	Peer  bool // else a client
	DNS   []string
	IPs   []net.IP
	Now   time.Time
	Lasts time.Duration
}

// Issue makes a certificate. A peer's is good for its API too, under localhost and the loopback addresses beside what was
// asked for.
func (a *Authority) Issue(q Request) (Issued, error) {
	if err := CheckGroup(q.Group); err != nil {
		return Issued{}, err
	}
	t, err := template(q.Now, q.Lasts)
	if err != nil {
		return Issued{}, err
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		return Issued{}, fmt.Errorf("the certificate would last until %s, and its authority ends %s before it",
			day(t.NotAfter), day(a.cert.NotAfter))
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.DNSNames = []string{ClientName(q.Group)}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if q.Peer {
		t.DNSNames = []string{PeerName(q.Group), "localhost"}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	t.Subject = pkix.Name{CommonName: t.DNSNames[0]}
	if q.Name != "" {
		t.Subject = pkix.Name{CommonName: q.Name + "." + t.DNSNames[0]}
	}
	t.DNSNames = append(t.DNSNames, q.DNS...)
	t.IPAddresses = append(t.IPAddresses, q.IPs...)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Issued{}, err
	}
	return sign(signing{cert: t, by: a.cert, key: key, with: a.key})
}

// template is what all certificates have in common.
func template(now time.Time, lasts time.Duration) (*x509.Certificate, error) {
	if lasts <= 0 {
		return nil, errors.New("a certificate must last for some time")
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	serial.SetBit(serial, 120, 1) // so that it has its length in text
	return &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(lasts), BasicConstraintsValid: true,
	}, nil
}

type signing struct {
	cert, by *x509.Certificate
	key      *ecdsa.PrivateKey // of cert
	with     crypto.Signer     // of by
}

func sign(s signing) (Issued, error) {
	der, err := x509.CreateCertificate(rand.Reader, s.cert, s.by, s.key.Public(), s.with)
	if err != nil {
		return Issued{}, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return Issued{}, err
	}
	return Issued{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}, nil
}

// Pair makes what was issued a certificate of TLS.
func (i Issued) Pair() (tls.Certificate, error) { return tls.X509KeyPair(i.Cert, i.Key) }
