// Package cert holds what peers prove themselves with: it reads a peer's certificate from files, watches them, makes the
// configurations of TLS from what they hold, and issues authorities and certificates.
//
//	c, err := cert.Open(cert.Config{Files: files, Group: "muster", Log: log, Registerer: reg})
//	err = c.Run(ctx)
//
// # Who is who
//
// A peer of group NAME has a certificate with the name peer.NAME.muster, good for servers and for clients; a client has
// client.NAME.muster, good for clients alone. One authority may serve any number of groups: what it has signed for another
// group, for a client, or for whatever else an organisation uses it for is no peer here. The name must be there word for word,
// a wildcard will not do.
//
// # Promises
//
//   - A certificate that could not serve is refused when it is read, with the file, what was found and what would be right, and
//     not by the first handshake: its name, its time, its uses, its key, and that the authorities of the CA file vouch for it.
//   - A key that others may read is refused.
//   - What was replaced on disk holds for the next handshake within a minute, or at once with Reload. What cannot be used leaves
//     the last good one in force, and is told in the log and the metrics.
//   - TLS 1.3 and nothing older, on both sides, and each handshake is a whole one: no session is resumed, so that an authority
//     that was taken away lets nobody in who was let in before.
//
// # Decisions
//
//   - Files are looked at once a minute and not watched by notification: they are often links that are swapped, or on a mount
//     that tells nothing, and a minute is short beside the life of a certificate.
//   - The CA file may hold several authorities, and a new certificate may come from any of them. That is how an authority is
//     replaced: both in the file, then the certificates one by one, then the old one out.
//   - A connection lives on when its certificate has ended or its authority has gone. Restarting a peer ends its connections.
//   - The group may read the key, as it must when root owns it and the program runs as another user; write it nobody else may.
//   - There are no revocation lists. Short-lived certificates and, at worst, a new authority take their place.
package cert
