package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/cmd/muster/table"
	httpd "github.com/musterhq/muster/http"
)

func (p *Program) keygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen",
		Short: "Make a gossip key",
		Long: `Makes a key that gossip is encrypted with: 32 random bytes in base64. All peers of a group are given the same one,
in a file that only its owner may read.`,
		Example: `  (umask 077; muster keygen > /etc/muster/gossip.key)
  muster agent -gossip-key-file /etc/muster/gossip.key …`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.Out, keyring.Generate())
			return nil
		},
	}
}

func (p *Program) keyring() *cobra.Command {
	c := p.asks(&cobra.Command{
		Use:   "keyring",
		Short: "Change the gossip key of all peers while they run",
		Long: `Changes the key that gossip is encrypted with on all peers while they run: install the new key, use it, remove the
old one. Each step goes to every peer, and may be done again when one did not follow. Keys are shown by their ids,
the beginning of their SHA-256.`,
		Example: `  muster keygen > new.key
  muster keyring install - < new.key
  muster keyring use ID
  muster keyring remove OLD-ID`,
	})
	c.AddCommand(p.keyringList(), p.keyringInstall(), p.keyringUse(), p.keyringRemove())
	return c
}

func (p *Program) keyringList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the gossip keys and which peers hold them",
		Example: "  muster keyring list",
		Args:    exactly(0),
		RunE: p.verb(true, func(ctx context.Context, api *httpd.Client, _ []string) error {
			k, err := api.Keyring(ctx)
			if err != nil {
				return err
			}
			if p.json() {
				return p.writeJSON(k)
			}
			return p.writeKeyring(k)
		}),
	}
}

// writeKeyring shows who holds what, and where the peers do not agree what to do about it.
func (p *Program) writeKeyring(k httpd.Keyring) error {
	t := table.New("Peer", "In use", "Also held", "Error")
	silent := 0
	for _, peer := range k.Peers {
		use, also := "-", "-"
		if len(peer.Keys) > 0 {
			use = peer.Keys[0]
			also = dash(strings.Join(peer.Keys[1:], " "))
		}
		if peer.Error != "" {
			silent++
		}
		t.Row(peer.Name, use, also, table.Cell{Text: dash(peer.Error), Mood: table.Bad})
	}
	if err := p.write(t); err != nil {
		return err
	}
	answering := len(k.Peers) - silent
	for _, key := range k.Keys {
		switch {
		case key.InUse > 0 && key.Peers < answering:
			p.say("Key %s is in use and %d of %d peers lack it: muster keyring install it.", key.ID, answering-key.Peers, answering)
		case key.InUse > 0 && key.InUse < answering:
			p.say("Key %s is in use on %d of %d peers: muster keyring use the one that all shall use.", key.ID, key.InUse, answering)
		}
	}
	return nil
}

func (p *Program) keyringInstall() *cobra.Command {
	return &cobra.Command{
		Use:     "install KEY",
		Short:   "Have all peers read what is encrypted with a new key",
		Long:    "Gives all peers a key, from muster keygen, with which they then read gossip. With - the key is read from stdin.",
		Example: "  muster keygen | tee new.key | muster keyring install -",
		Args:    exactly(1),
		RunE: p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
			key := args[0]
			if key == "-" {
				line, err := bufio.NewReader(p.In).ReadString('\n')
				if key = strings.TrimSpace(line); key == "" {
					return errors.Join(errors.New("stdin holds no key"), err)
				}
			}
			if _, err := keyring.Parse(key); err != nil {
				return err
			}
			k, err := api.InstallKey(ctx, key)
			if err != nil {
				return err
			}
			id, _ := keyring.IDOf(key) // it has been parsed
			p.say("Installed key %s on %s. Use it with: muster keyring use %s", id, counted(len(k.Peers), "peer", "peers"), id)
			return p.andJSON(k)
		}),
	}
}

func (p *Program) keyringUse() *cobra.Command {
	return p.keyringStep(&cobra.Command{
		Use:     "use KEY",
		Short:   "Have all peers encrypt with an installed key",
		Long:    "Has all peers encrypt gossip with a key that is installed, given by its id or itself.",
		Example: "  muster keyring use 9f86d081884c7d65",
	}, (*httpd.Client).UseKey, "Key %s is in use on %s. Remove the old one with muster keyring remove; muster keyring list shows it.")
}

func (p *Program) keyringRemove() *cobra.Command {
	return p.keyringStep(&cobra.Command{
		Use:     "remove KEY",
		Short:   "Have all peers forget a key that is not in use",
		Long:    "Takes a key that is not in use, given by its id or itself, from all peers. Gossip that uses it is then refused.",
		Example: "  muster keyring remove 9f86d081884c7d65",
	}, (*httpd.Client).RemoveKey, "Key %s is gone from %s.")
}

// keyringStep is a step with a key that the peers hold.
func (p *Program) keyringStep(
	c *cobra.Command, do func(*httpd.Client, context.Context, string) (httpd.Keyring, error), said string,
) *cobra.Command {
	c.Args = exactly(1)
	c.RunE = p.verb(false, func(ctx context.Context, api *httpd.Client, args []string) error {
		id, err := keyring.IDOf(args[0])
		if err != nil {
			return err
		}
		k, err := do(api, ctx, id)
		if err != nil {
			return err
		}
		p.say(said, id, counted(len(k.Peers), "peer", "peers"))
		return p.andJSON(k)
	})
	return c
}
