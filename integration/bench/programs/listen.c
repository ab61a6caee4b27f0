/* Starts a user target for each position of a lid, in the simplest way that sd-bus allows.
 * usage: listen PATH OPEN CLOSED */
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

static sd_bus *session;
static const char *open_target, *closed_target;

static int changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
	const char *name;
	int closed;
	(void)userdata;
	(void)error;
	if (sd_bus_message_skip(m, "s") < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
		return 0;
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		if (sd_bus_message_read(m, "s", &name) < 0)
			return 0;
		if (strcmp(name, "LidClosed") == 0) {
			if (sd_bus_message_read(m, "v", "b", &closed) < 0)
				return 0;
			sd_bus_call_method(session, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
					   "org.freedesktop.systemd1.Manager", "StartUnit", NULL, NULL, "ss",
					   closed ? closed_target : open_target, "replace");
		} else
			sd_bus_message_skip(m, "v");
		sd_bus_message_exit_container(m);
	}
	return 0;
}

int main(int argc, char **argv) {
	sd_event *event;
	sd_bus *system;
	if (argc != 4)
		return 2;
	open_target = argv[2];
	closed_target = argv[3];
	if (sd_event_default(&event) < 0 || sd_bus_open_user(&session) < 0 || sd_bus_open_system(&system) < 0)
		return 1;
	if (sd_bus_match_signal(system, NULL, NULL, argv[1], "org.freedesktop.DBus.Properties", "PropertiesChanged", changed,
				NULL) < 0)
		return 1;
	if (sd_bus_attach_event(system, event, 0) < 0 || sd_bus_attach_event(session, event, 0) < 0)
		return 1;
	sd_notify(0, "READY=1");
	return sd_event_loop(event) < 0;
}
