package sandbox

import "context"

// Link is the network of SecondInterface and the server of the connectivity check there.
type Link struct {
	Uplink *Uplink
	Check  *Check
}

// startSecond starts the second link, which is plugged in and reaches the internet.
func (sb *Sandbox) startSecond(ctx context.Context) error {
	uplink, err := newUplink(ctx, sb, secondCable())
	if err != nil {
		return err
	}
	sb.Second = &Link{Uplink: uplink}
	if sb.Second.Check, err = newCheck(uplink, Full); err != nil {
		return err
	}
	if err := uplink.StartDHCP(ctx); err != nil {
		return err
	}
	return uplink.Plug(ctx)
}

func (l *Link) close() error {
	var err error
	if l.Check != nil {
		err = l.Check.Set(LimitedRefuse)
	}
	return join(err, l.Uplink.close())
}
