package sandbox

import (
	"context"
	"os/exec"
)

// Serve starts a server at the uplink, as root unless cmd says otherwise. It returns when the server has printed
// the words ready on its standard error.
func (u *Uplink) Serve(ctx context.Context, name, ready string, cmd *exec.Cmd) error {
	_, err := u.serve(ctx, name, ready, cmd)
	return err
}

func (u *Uplink) serve(ctx context.Context, name, ready string, cmd *exec.Cmd) (*daemon, error) {
	said := newPhrase(ready)
	cmd.Stderr = said
	var d *daemon
	err := u.do(func() error {
		var err error
		d, err = u.sb.start(name, "system.slice/"+name+".service", cmd)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, d.await(ctx, said.seen)
}
