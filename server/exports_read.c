// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exports_read - the syntax of the exports file:
 *
 *	DEVICE  HOST[(OPTION,...)] ...
 *
 * Text is cut into words first: '#' begins a comment, a backslash at the end
 * goes on in the next line, "double quotes" keep blanks. Each word is then
 * taken apart by itself, and every error in the file is told, not the first
 * one only.
 */
#include "server/exports_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

#define LINE_MAX_BYTES 65536
#define LEASE_MAX 86400

struct parser {
	struct exports *ex;
	const char *file;
	unsigned int number;		/* of the line */
	bool bad;
};

CLEANUP_DEFINE(struct exports, exports_free);
CLEANUP_DEFINE(struct exports_line, exports_line_free);

static void complain(struct parser *p, const char *what, const char *word)
{
	log_error("%s:%u: %s: %s", p->file, p->number, what, word);
	p->bad = true;
}

static bool parse_number(const char *text, unsigned long max,
			 unsigned int *value)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	*value = n;
	return !errno && !*end && n <= max;
}

static bool is_busid(const char *word)
{
	size_t len = strspn(word, "0123456789");

	if (!len || word[len] != '-')
		return false;
	do {
		word += len + 1;
		len = strspn(word, "0123456789");
	} while (len && word[len] == '.');
	return len && !word[len];
}

static bool parse_id(struct exports_line *line, const char *word)
{
	for (int i = 0; i < 9; i++)
		if (i == 4 ? word[i] != ':' : !isxdigit((unsigned char)word[i]))
			return false;
	if (word[9] && (word[9] != '/' || !word[10]))
		return false;
	line->vendor = strtoul(word, NULL, 16);
	line->product = strtoul(word + 5, NULL, 16);
	if (!word[9])
		return true;
	line->serial = strdup(word + 10);
	return line->serial;
}

static bool parse_device(struct exports_line *line, const char *word)
{
	size_t len = strlen(word);

	if (!strcmp(word, "*")) {
		line->kind = EXPORTS_DEVICE_KIND_ANY;
		return true;
	}
	if (!strncmp(word, "class:", 6)) {
		line->kind = EXPORTS_DEVICE_KIND_CLASS;
		line->class = strtoul(word + 6, NULL, 16);
		return len == 8 && isxdigit((unsigned char)word[6]) &&
		       isxdigit((unsigned char)word[7]);
	}
	if (is_busid(word) && len < sizeof(line->busid)) {
		line->kind = EXPORTS_DEVICE_KIND_BUSID;
		memcpy(line->busid, word, len + 1);
		return true;
	}
	line->kind = EXPORTS_DEVICE_KIND_ID;
	return parse_id(line, word);
}

/* The prefix that a mask like 255.255.255.0 means; false: it is none. */
static bool parse_mask(const char *text, unsigned int *prefix)
{
	struct in_addr in;
	uint32_t mask;

	if (inet_pton(AF_INET, text, &in) != 1)
		return false;
	mask = ntohl(in.s_addr);
	*prefix = mask ? 32 - __builtin_ctz(mask) : 0;
	return mask == (*prefix ? ~0u << (32 - *prefix) : 0);
}

/* How many bits of an address of this family "/BITS" or "/MASK" means. */
static bool parse_prefix(const char *text, sa_family_t family,
			 unsigned int *prefix)
{
	if (family == AF_INET6)
		return parse_number(text, 128, prefix);
	return parse_number(text, 32, prefix) || parse_mask(text, prefix);
}

/* 1: an address or a network; 0: something else; -EINVAL: a wrong one;
 * -ERANGE: one of IPv4 and of more, in IPv6's form. */
static int parse_network(struct exports_host *host, char *word)
{
	struct exports_address *network = &host->network;
	char *slash = strchr(word, '/');

	if (slash)
		*slash = 0;
	if (inet_pton(AF_INET, word, network->bytes) == 1)
		network->family = AF_INET;
	else if (inet_pton(AF_INET6, word, network->bytes) == 1)
		network->family = AF_INET6;
	else
		return slash ? -EINVAL : 0;
	host->kind = EXPORTS_HOST_KIND_NETWORK;
	host->prefix = network->family == AF_INET ? 32 : 128;
	if (slash && !parse_prefix(slash + 1, network->family, &host->prefix))
		return -EINVAL;
	if (exports_address_plain(network)) {
		if (host->prefix < 96)
			return -ERANGE;
		host->prefix -= 96;
	}
	return 1;
}

static bool is_host_name(const char *word)
{
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");

	return len && len < 256 && !word[len] && *word != '-' && *word != '.';
}

/* 10.1 is 10.0.0.1 to the resolver, 010.1.2.3 is 8.1.2.3, and to who has written
 * it neither. And no host's name ends in a number (RFC 1123, 2.1): 10.0.0.300 is
 * a slip, which must not become a name of the local domain. */
static bool is_odd_address(const char *word)
{
	const char *dot = strrchr(word, '.'), *last = dot ? dot + 1 : word;
	struct in_addr addr;

	return inet_aton(word, &addr) || !last[strspn(last, "0123456789")];
}

/* Which addresses does the name have? None is a warning: DNS comes and goes. */
static void resolve_host(struct parser *p, struct exports_host *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	size_t n = 0;
	int r;

	r = getaddrinfo(host->name, NULL, &hints, &list);
	if (r) {
		log_warning("%s:%u: %s: %s; it is looked for again at the next SIGHUP",
			    p->file, p->number, host->name, gai_strerror(r));
		return;
	}
	for (ai = list; ai; ai = ai->ai_next)
		n++;
	host->resolved = calloc(n, sizeof(*host->resolved));
	for (ai = list; ai && host->resolved; ai = ai->ai_next)
		if (exports_address(ai->ai_addr,
				    &host->resolved[host->n_resolved]))
			host->n_resolved++;
	freeaddrinfo(list);
}

static bool add_group(struct exports *ex, const char *name)
{
	size_t size = strlen(name) + 1;
	char *groups;

	if (exports_has_group(exports_netgroups(ex), name))
		return true;
	groups = realloc(ex->groups, ex->groups_len + size + 1);
	if (!groups)
		return false;
	memcpy(groups + ex->groups_len, name, size);
	ex->groups_len += size;
	groups[ex->groups_len] = 0;
	ex->groups = groups;
	return true;
}

/* NULL, or what is wrong with it. */
static const char *parse_host(struct parser *p, struct exports_host *host,
			      char *word)
{
	static const char wrong[] =
		"not a host, network, *.domain or @netgroup";
	int r;

	if (!strcmp(word, "*")) {
		host->kind = EXPORTS_HOST_KIND_ANY;
		return NULL;
	}
	r = parse_network(host, word);
	if (r == -ERANGE)
		return "IPv4 in the form of IPv6 needs 96 bits or more";
	if (r)
		return r > 0 ? NULL : wrong;
	if (*word == '@') {
		host->kind = EXPORTS_HOST_KIND_NETGROUP;
		host->name = strdup(word + 1);
	} else if (!strncmp(word, "*.", 2)) {
		host->kind = EXPORTS_HOST_KIND_DOMAIN;
		host->name = strdup(word + 1);
		word++;
	} else {
		host->kind = EXPORTS_HOST_KIND_NAME;
		host->name = strdup(word);
	}
	/* behind the '@' or the dot */
	if (host->kind != EXPORTS_HOST_KIND_NAME)
		word++;
	if (!host->name)
		return "out of memory";
	if (!is_host_name(word))
		return wrong;
	if (host->kind == EXPORTS_HOST_KIND_NAME) {
		if (is_odd_address(word))
			return "not an address: it takes four decimal numbers";
		resolve_host(p, host);
	}
	if (host->kind == EXPORTS_HOST_KIND_NETGROUP &&
	    !add_group(p->ex, host->name))
		return "out of memory";
	p->ex->need_names = true;
	return NULL;
}

/* "(a,b)": cut it off word, and take it apart. */
static bool parse_options(struct parser *p, struct exports_host *host,
			  char *word)
{
	char *options = strchr(word, '('), *option, *next;
	size_t len = strlen(word);

	if (!options)
		return true;
	if (word[len - 1] != ')') {
		complain(p, "the options do not end with ')'", word);
		return false;
	}
	word[len - 1] = 0;
	*options++ = 0;
	for (option = strtok_r(options, ",", &next); option;
	     option = strtok_r(NULL, ",", &next)) {
		if (!strcmp(option, "noreset"))
			host->options.no_reset = true;
		else if (strncmp(option, "lease=", 6) ||
			 !parse_number(option + 6, LEASE_MAX,
				       &host->options.lease) ||
			 !host->options.lease) {
			complain(p, "not an option", option);
			return false;
		}
	}
	return true;
}

static void add_host(struct parser *p, struct exports_line *line, char *word)
{
	struct exports_host *host = calloc(1, sizeof(*host));
	_cleanup_(cleanup_free) char *whole = strdup(word);
	const char *wrong;

	if (!host || !whole) {
		free(host);
		complain(p, "out of memory", word);
		return;
	}
	STAILQ_INSERT_TAIL(&line->hosts, host, link);
	if (!parse_options(p, host, word))
		return;
	wrong = parse_host(p, host, word);
	if (wrong)
		complain(p, wrong, whole);
}

/* The next word of *text, which goes on behind it; NULL: no more. */
static char *next_word(char **text)
{
	char *from = *text + strspn(*text, " \t\n"), *to = from, *word = from;
	bool quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (quoted || !strchr(" \t\n", *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*text = *from ? from + 1 : from;
	*to = 0;
	return quoted ? NULL : word;
}

static void parse_line(struct parser *p, char *text)
{
	_cleanup_(exports_line_freep) struct exports_line *line = NULL;
	char *word = next_word(&text);

	if (!word)
		return;
	line = calloc(1, sizeof(*line));
	if (!line) {
		complain(p, "out of memory", word);
		return;
	}
	STAILQ_INIT(&line->hosts);
	if (!parse_device(line, word))
		complain(p, "not a bus id, VID:PID[/SERIAL], class:XX or *",
			 word);
	while ((word = next_word(&text)))
		add_host(p, line, word);
	if (STAILQ_EMPTY(&line->hosts)) {
		complain(p, "no host may claim this; '*' is all hosts",
			 "the line ends after the device");
		return;
	}
	STAILQ_INSERT_TAIL(&p->ex->lines, line, link);
	line = NULL;
	p->ex->n++;
}

/* Remove the comment; true: the line goes on in the next one. */
static bool trim_line(char *text)
{
	bool quoted = false;
	size_t len;

	for (char *c = text; *c; c++) {
		if (*c == '"')
			quoted = !quoted;
		if (*c == '#' && !quoted) {
			*c = 0;
			break;
		}
	}
	len = strlen(text);
	while (len && strchr(" \t\n\r", text[len - 1]))
		text[--len] = 0;
	if (!len || text[len - 1] != '\\')
		return false;
	text[len - 1] = ' ';
	return true;
}

static bool has_odd_quotes(const char *text)
{
	bool odd = false;

	for (; *text; text++)
		odd ^= *text == '"';
	return odd;
}

/* 0, also where lines are wrong; -errno: the file could not be read. */
static int read_lines(struct parser *p, FILE *f, char *whole)
{
	_cleanup_(cleanup_free) char *line = NULL;
	size_t size = 0, len = 0;
	ssize_t n;
	bool more;

	while ((n = getline(&line, &size, f)) >= 0) {
		p->number++;
		if (strlen(line) != (size_t)n) {
			complain(p, "a line has a zero byte", "the rest is not read");
			return 0;
		}
		more = trim_line(line);
		if (len + strlen(line) >= LINE_MAX_BYTES) {
			complain(p, "a line is too long", "the rest is not read");
			return 0;
		}
		strcpy(whole + len, line);
		len += strlen(line);
		if (more)
			continue;
		len = 0;
		if (has_odd_quotes(whole))
			complain(p, "a quote is not closed", whole);
		else
			parse_line(p, whole);
		*whole = 0;
	}
	if (!feof(f))
		return errno ? -errno : -EIO;
	if (len)
		parse_line(p, whole);	/* the last line went on nowhere */
	return 0;
}

int exports_read(struct exports **exportsp, FILE *f, const char *name)
{
	_cleanup_(exports_freep) struct exports *ex = calloc(1, sizeof(*ex));
	_cleanup_(cleanup_free) char *whole = calloc(1, LINE_MAX_BYTES);
	struct parser p = { .ex = ex, .file = name };
	int r = -ENOMEM;

	if (ex && whole) {
		STAILQ_INIT(&ex->lines);
		r = read_lines(&p, f, whole);
	}
	if (r) {
		log_error("%s: not read: %s", name, strerror(-r));
		return r;
	}
	if (p.bad)
		return -EINVAL;
	*exportsp = steal_ptr(ex);
	return 0;
}

int exports_load(struct exports **exportsp, const char *file)
{
	FILE *f = fopen(file, "re");
	int r;

	if (!f) {
		r = -errno;
		log_error("%s: %s; nothing is exported without it (usbip-rpc-exports(5))",
			  file, strerror(-r));
		return r;
	}
	r = exports_read(exportsp, f, file);
	fclose(f);
	return r;
}
