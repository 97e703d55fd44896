// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usbip-rpcd - offers this machine's USB devices over ONC RPC. Owns the
 * options, the signals and the order of start and stop.
 *
 * As a daemon it forks before it opens anything; the first process waits
 * until the second one serves or has failed, and exits with its exit code.
 *
 * SIGHUP is blocked until the loop can take it: to read the exports file may
 * take the name service's time, and what was changed meanwhile is then read.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/record.h"
#include "server/admin.h"
#include "server/backend.h"
#include "server/exports.h"
#include "server/proc.h"
#include "server/svc.h"
#include "server/target.h"

#define EXPORTS_FILE SYSCONFDIR "/usbip-rpc/exports"
/* Those of log.h that something here uses: "port" is the helper's. */
#define DEBUG_TAGS "rpc,net,session,device,urb"
/* Seconds for sessions to end when the service stops. */
#define STOP_MAX 10

enum exit_code {
	EXIT_STOPPED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_EXPORTS = 3,
	EXIT_NO_SESSION = 4,
	EXIT_NOT_RETURNED = 5,
};

struct options {
	bool foreground, rpcbind, check, sessions, json;
	const char *control, *revoke;
	const char *exports_file;
	char exports_path[PATH_MAX];	/* the same, from the root */
	const struct backend_ops *backend;
	const char *backend_argument;
	unsigned int lease, port;
	const char *listen[SVC_LISTEN_MAX];
	size_t n_listen;
};

struct daemon_state {
	struct event_base *base;
	struct target *target;
	struct svc *svc;
	struct admin *admin;		/* or NULL */
	struct exports *exports;	/* until target_new() */
	struct event *signals[3], *stop_timer;
	int ready;			/* pipe to the first process, or -1 */
};

static const char usage_text[] =
"usage: usbip-rpcd [OPTION...]\n"
"Offer the USB devices of this machine to others, as ONC RPC program 536874152.\n"
"\n"
"  -e, --exports FILE     who may claim what (" EXPORTS_FILE ")\n"
"  -f, --foreground       do not become a daemon; log to standard error\n"
"  -p, --port N           the port of TCP and UDP (default: any free one)\n"
"  -l, --listen ADDR      listen there only; may be repeated (default: everywhere)\n"
"      --no-rpcbind       do not register at rpcbind; use it with --port\n"
"      --lease S          give a device back S seconds after the last call\n"
"                         of who has it (30)\n"
"      --check            read the exports file, say what is wrong, and exit\n"
"      --control SOCKET   how root asks this service (" ADMIN_SOCKET ")\n"
"      --backend NAME     libusb, or fake[:SCRIPT]: devices made of script\n"
"  -d, --debug TAG,...    tell more about: " DEBUG_TAGS "; or all\n"
"  -h, --help             this\n"
"  -V, --version          the version\n"
"\n"
"To a service that runs, as root:\n"
"      --sessions         show who has which device\n"
"      --json             the same for programs\n"
"      --revoke DEVICE    take a device back, and wait until it is: a bus id,\n"
"                         VID:PID, VID:PID/SERIAL, or all\n"
"\n"
"Signals: HUP reads the exports file again; TERM and INT give all devices back\n"
"and end.\n"
"Exit codes: 0 ended by a signal; 1 could not start, or lost what it needs;\n"
"2 wrong usage; 3 the exports file could not be read or has errors; 4 nobody\n"
"has that device; 5 it was not given back in time.\n"
"See usbip-rpcd(8), usbip-rpc-exports(5).\n";

/* ---- options ------------------------------------------------------------ */

static bool parse_number(const char *text, unsigned long min, unsigned long max,
			 unsigned int *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	*value = n;
	return !errno && *text != '-' && end != text && !*end && n >= min &&
	       n <= max;
}

static bool parse_backend(const char *text, struct options *o)
{
	static const struct backend_ops *const backends[] = {
		&backend_libusb_ops, &backend_fake_ops,
	};
	size_t len = strcspn(text, ":");

	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (strlen(backends[i]->name) == len &&
		    !strncmp(backends[i]->name, text, len)) {
			o->backend = backends[i];
			o->backend_argument = text[len] ? text + len + 1 : NULL;
			return true;
		}
	return false;
}

static bool add_listen(const char *text, struct options *o)
{
	if (o->n_listen == SVC_LISTEN_MAX)
		return false;
	o->listen[o->n_listen++] = text;
	return true;
}

enum {
	OPT_NO_RPCBIND = 256, OPT_LEASE, OPT_CHECK, OPT_BACKEND, OPT_CONTROL,
	OPT_SESSIONS, OPT_JSON, OPT_REVOKE,
};

static const struct option long_options[] = {
	{ "exports", required_argument, NULL, 'e' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "port", required_argument, NULL, 'p' },
	{ "listen", required_argument, NULL, 'l' },
	{ "no-rpcbind", no_argument, NULL, OPT_NO_RPCBIND },
	{ "lease", required_argument, NULL, OPT_LEASE },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "backend", required_argument, NULL, OPT_BACKEND },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "sessions", no_argument, NULL, OPT_SESSIONS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "revoke", required_argument, NULL, OPT_REVOKE },
	{ "debug", required_argument, NULL, 'd' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Take one option. NULL, or what its argument has to be; "": it is none. */
static const char *take_option(int c, struct options *o)
{
	switch (c) {
	case 'e':
		o->exports_file = optarg;
		return NULL;
	case 'f':
		o->foreground = true;
		return NULL;
	case 'p':
		return parse_number(optarg, 0, 65535, &o->port) ? NULL :
		       "--port: a number, 65535 at most";
	case 'l':
		return add_listen(optarg, o) ? NULL : "--listen: 16 times at most";
	case 'd':
		return !log_enable(optarg) ? NULL :
		       "--debug: of " DEBUG_TAGS ", or all";
	case OPT_NO_RPCBIND:
		o->rpcbind = false;
		return NULL;
	case OPT_LEASE:
		return parse_number(optarg, 1, 86400, &o->lease) ? NULL :
		       "--lease: seconds, from 1 to 86400";
	case OPT_CHECK:
		o->check = true;
		return NULL;
	case OPT_BACKEND:
		return parse_backend(optarg, o) ? NULL :
		       "--backend: libusb, fake or fake:SCRIPT";
	case OPT_CONTROL:
		o->control = optarg;	/* a daemon is in "/" */
		return *optarg == '/' ? NULL : "--control: a name from / on";
	case OPT_SESSIONS:
		o->sessions = true;
		return NULL;
	case OPT_JSON:
		o->json = true;
		return NULL;
	case OPT_REVOKE:
		o->revoke = optarg;
		return NULL;
	default:
		return "";	/* getopt_long() has said it */
	}
}

/* Is what is asked of a service one thing? */
static bool is_one_request(const struct options *o)
{
	return o->sessions ? !o->revoke : !o->json;
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	const char *want;
	int c;

	while ((c = getopt_long(argc, argv, "e:fp:l:d:hV", long_options,
				NULL)) >= 0) {
		if (c == 'h') {
			fputs(usage_text, stdout);
			return EXIT_STOPPED;
		}
		if (c == 'V') {
			puts("usbip-rpcd (" PACKAGE_NAME ") " PACKAGE_VERSION);
			return EXIT_STOPPED;
		}
		want = take_option(c, o);
		if (want) {
			if (*want)
				fprintf(stderr, "usbip-rpcd: %s; not \"%s\"\n",
					want, optarg);
			fputs("Try 'usbip-rpcd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "usbip-rpcd: takes no argument: %s\nTry 'usbip-rpcd --help'.\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	if (!is_one_request(o)) {
		fputs("usbip-rpcd: --sessions, with --json or without, or --revoke\nTry 'usbip-rpcd --help'.\n",
		      stderr);
		return EXIT_USAGE;
	}
	return -1;
}

/* ---- start and stop ----------------------------------------------------- */

static void stop_loop(void *user)
{
	struct daemon_state *d = user;

	/* replies that were just made are sent first */
	event_base_loopexit(d->base, NULL);
}

static void tell_returned(void *user)
{
	struct daemon_state *d = user;

	admin_returned(d->admin);
}

static void give_up(evutil_socket_t fd, short what, void *arg)
{
	log_error("devices could not be given back within %d seconds; they are left as they are",
		  STOP_MAX);
	_exit(EXIT_FAILED);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	const struct timeval tv = { STOP_MAX, 0 };
	struct daemon_state *d = arg;

	if (sig == SIGHUP) {
		target_reload(d->target);
		return;
	}
	log_info("stopping: %s", strsignal(sig));
	event_add(d->stop_timer, &tv);
	svc_withdraw(d->svc);	/* also where give_up() is what ends this */
	target_stop(d->target);
}

static void block_reload(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

static bool is_reload_pending(void)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, SIGHUP) == 1;
}

static int catch_signals(struct daemon_state *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	d->stop_timer = event_new(d->base, -1, 0, give_up, d);
	if (!d->stop_timer)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		d->signals[i] = evsignal_new(d->base, signals[i], on_signal, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

static void deinit(struct daemon_state *d)
{
	d->admin = admin_free(d->admin);
	d->svc = svc_free(d->svc);
	d->target = target_free(d->target);
	d->exports = exports_free(d->exports);
	for (size_t i = 0; i < sizeof(d->signals) / sizeof(d->signals[0]); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->stop_timer)
		event_free(d->stop_timer);
	if (d->base)
		event_base_free(d->base);
}

/* To serve without is better than not to. */
static void open_control(struct daemon_state *d, const char *path)
{
	int r = admin_new(&d->admin, d->base, d->target, path);

	if (r)
		log_warning("%s: %s; --sessions and --revoke will not work",
			    path, r == -EBUSY ? "another usbip-rpcd has it" :
			    strerror(-r));
}

static int init(struct daemon_state *d, const struct options *o)
{
	struct target_config tc = {
		.backend = o->backend,
		.backend_argument = o->backend_argument,
		.exports_file = o->exports_file,
		.exports = d->exports,
		.lease = o->lease,
		.ops = &proc_target_ops,
		.returned = tell_returned,
		.stopped = stop_loop,
		.user = d,
	};
	struct svc_config sc = {
		.n_listen = o->n_listen,
		.port = o->port,
		.rpcbind = o->rpcbind,
	};
	int r;

	d->base = tc.base = sc.base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	r = catch_signals(d);
	if (r)
		return r;
	d->exports = NULL;	/* consumed */
	r = target_new(&d->target, &tc);
	if (r)
		return r;
	memcpy(sc.listen, o->listen, sizeof(sc.listen));
	sc.target = d->target;
	open_control(d, o->control);	/* before it says that it serves */
	return svc_new(&d->svc, &sc);
}

/* From now on nobody looks at standard error. */
static void detach(struct daemon_state *d)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_open("usbip-rpcd", true);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(d->ready, "", 1) != 1)
		log_warning("the first process is gone");
	close(d->ready);
}

static int run(struct daemon_state *d, const struct options *o)
{
	int r = init(d, o);

	if (!r && d->ready >= 0)
		detach(d);
	if (!r)
		block_reload(SIG_UNBLOCK);
	if (!r && event_base_dispatch(d->base) < 0)
		r = -EIO;
	block_reload(SIG_BLOCK);
	if (r)
		log_error("ended: %s", strerror(-r));
	deinit(d);
	return r ? EXIT_FAILED : EXIT_STOPPED;
}

/* The first process: the exit code that it is to have. */
static int await_daemon(int fd, pid_t pid)
{
	int status;
	char c;

	if (read(fd, &c, 1) == 1)
		return EXIT_STOPPED;
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	return EXIT_FAILED;
}

/* A daemon holds on to nothing that its starter had open: a lock, the end of
 * a pipe. In the foreground it is the supervisor who decides. */
static int keep_alone(int fd)
{
	int kept = dup2(fd, STDERR_FILENO + 1);

	if (kept < 0)
		return fd;
	close_range((unsigned int)kept + 1, ~0U, 0);
	return kept;
}

static int run_as_daemon(struct daemon_state *d, const struct options *o)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0) {
		log_error("can not become a daemon: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (pid) {
		close(fds[1]);
		if (is_reload_pending())
			kill(pid, SIGHUP);	/* it was not inherited */
		d->exports = exports_free(d->exports);	/* the child has its own */
		return await_daemon(fds[0], pid);
	}
	d->ready = keep_alone(fds[1]);
	setsid();
	if (chdir("/"))
		log_warning("/: %s", strerror(errno));
	return run(d, o);
}

/* For SIGHUP in "/". Links in it stay: they may lead elsewhere by then. */
static void name_from_root(struct options *o)
{
	size_t size = sizeof(o->exports_path), len;

	if (*o->exports_file == '/' || !getcwd(o->exports_path, size))
		return;
	len = strlen(o->exports_path);
	if ((size_t)snprintf(o->exports_path + len, size - len, "/%s",
			     o->exports_file) < size - len)
		o->exports_file = o->exports_path;
}

/* Read the exports file before anything is begun. -1: go on; else the exit
 * code. */
static int load_exports(struct options *o, struct daemon_state *d)
{
	name_from_root(o);
	if (exports_load(&d->exports, o->exports_file))
		return EXIT_EXPORTS;
	if (!o->check)
		return -1;
	printf("%s: %zu lines, no errors\n", o->exports_file,
	       exports_count(d->exports));
	d->exports = exports_free(d->exports);
	return EXIT_STOPPED;
}

/*
 * Each session takes four descriptors: its connection, its worker, and its
 * device twice. The soft limit is low for the sake of programs that use
 * select(2).
 */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warning("the limit of open files can not be raised: %s",
			    strerror(errno));
}

/* The exit code. */
static int ask_service(const struct options *o)
{
	int r = o->sessions ? admin_show(o->control, o->json) :
			      admin_revoke(o->control, o->revoke);

	switch (r) {
	case 0:
		return EXIT_STOPPED;
	case ADMIN_E_NO_SESSION:
		return EXIT_NO_SESSION;
	case ADMIN_E_NOT_RETURNED:
		return EXIT_NOT_RETURNED;
	default:
		return EXIT_FAILED;
	}
}

/* A result that could not be written is no result. */
static int close_stdout(int code)
{
	if (!fclose(stdout) || code)
		return code;
	log_error("standard output: %s", strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static struct options o = {
		.rpcbind = true,
		.exports_file = EXPORTS_FILE,
		.control = ADMIN_SOCKET,
		.backend = &backend_libusb_ops,
		.lease = 30,
	};
	struct daemon_state d = { .ready = -1 };
	int code;

	block_reload(SIG_BLOCK);
	log_open("usbip-rpcd", false);
	record_tune_malloc();
	code = parse_options(argc, argv, &o);
	if (code < 0 && (o.sessions || o.revoke))
		code = ask_service(&o);
	if (code < 0)
		code = load_exports(&o, &d);
	if (code >= 0)
		return close_stdout(code);
	raise_descriptors();
	return o.foreground ? run(&d, &o) : run_as_daemon(&d, &o);
}
