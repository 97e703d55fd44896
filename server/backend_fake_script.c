// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * backend_fake_script - which fake devices there are. One statement a line;
 * '#' begins a comment:
 *
 *   device BUSID MODEL [speed=low|full|high|super] [id=VVVV:PPPP]
 *          [serial=TEXT] [product=TEXT] [size=MiB] [more=BYTES] [unplugged]
 *          [unnoted]
 *   at MS plug|unplug BUSID
 *   delay BUSID ENDPOINT MS
 *   fault BUSID ENDPOINT AFTER KIND
 *
 * more: of descriptors that nobody knows, in the last configuration. unnoted: no
 * note of each transfer is kept, which takes memory.
 * MODEL: zero, keyboard, disk, uas, isoc, camera. ENDPOINT: the address, 0x81.
 * AFTER: so many transfers later. KIND: see parse_fault(). MS: from the start on.
 */
#include "server/backend_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"

/* Bytes that a configuration is made longer by. */
#define MORE_MAX 2048

/* A look without hardware: one of each kind, and two that are alike. */
static const char built_in[] =
	"device 1-1 disk serial=FAKE0001 size=16\n"
	"device 1-2 zero serial=ZERO-A\n"
	"device 1-3 zero serial=ZERO-B\n"
	"device 1-4 keyboard\n"
	"device 1-5 zero speed=full id=0525:a4a2 serial=ZERO-FS\n"
	"device 2-1 zero speed=super id=0525:a4a3 serial=ZERO-SS\n"
	"device 2-2 disk speed=super id=46f4:0002 serial=FAKE0002 size=64\n";

static const struct fake_model *const models[] = {
	&fake_model_zero, &fake_model_keyboard, &fake_model_disk,
	&fake_model_isoc, &fake_model_uas, &fake_model_camera,
};

struct script {
	struct fake *fake;
	const char *file;
	unsigned int line;
	char *next;		/* rest of the line, for strtok_r() */
};

static int complain(struct script *s, const char *what, const char *word)
{
	log_error("%s:%u: %s%s%s", s->file, s->line, what, word ? ": " : "",
		  word ? word : "");
	return -EINVAL;
}

static char *next_word(struct script *s)
{
	return strtok_r(NULL, " \t", &s->next);
}

static bool parse_number(const char *text, unsigned long max,
			 unsigned long *value)
{
	char *end;

	if (!text || !*text)
		return false;
	errno = 0;
	*value = strtoul(text, &end, 0);
	return !errno && !*end && *value <= max;
}

static bool parse_speed(const char *text, enum backend_speed *speed)
{
	static const char *const names[] = {
		[BACKEND_SPEED_LOW] = "low", [BACKEND_SPEED_FULL] = "full",
		[BACKEND_SPEED_HIGH] = "high", [BACKEND_SPEED_SUPER] = "super",
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], text)) {
			*speed = i;
			return true;
		}
	return false;
}

struct wanted {
	enum backend_speed speed;
	unsigned int vendor, product;
	const char *serial, *product_name;
	unsigned long size;		/* MiB */
	unsigned long more;		/* bytes */
	bool plugged, noted;
};

static bool parse_option(char *word, struct wanted *w)
{
	char *value = strchr(word, '=');

	if (!strcmp(word, "unplugged")) {
		w->plugged = false;
		return true;
	}
	if (!strcmp(word, "unnoted")) {
		w->noted = false;
		return true;
	}
	if (!value)
		return false;
	*value++ = 0;
	if (!strcmp(word, "speed"))
		return parse_speed(value, &w->speed);
	if (!strcmp(word, "id"))
		return sscanf(value, "%4x:%4x", &w->vendor, &w->product) == 2;
	if (!strcmp(word, "size"))
		return parse_number(value, 1024, &w->size);
	if (!strcmp(word, "more"))
		return parse_number(value, MORE_MAX, &w->more);
	if (!strcmp(word, "serial"))
		w->serial = value;
	else if (!strcmp(word, "product"))
		w->product_name = value;
	else
		return false;
	return true;
}

/* A BOS that says: SuperSpeed, and nothing more. */
static const uint8_t bos[] = {
	5, 15, 22, 0, 2,
	7, 16, 2, 0x06, 0, 0, 0,		/* USB 2.0 extension: LPM */
	10, 16, 3, 0, 0x0e, 0, 1, 10, 0xff, 0x07 /* SuperSpeed */
};

/* Makes the last configuration longer; returns the bytes of all. */
static size_t add_more(uint8_t *all, size_t len, size_t more)
{
	size_t at = 18, last = at, n;

	for (; at < len; at += all[at + 2] | all[at + 3] << 8)
		last = at;
	while (more >= 2) {
		n = more > 200 ? 200 : more;
		all[len] = n;
		all[len + 1] = 0xff;
		len += n;
		more -= n;
	}
	all[last + 2] = (len - last) & 0xff;
	all[last + 3] = (len - last) >> 8;
	return len;
}

static int make_descriptors(struct fake_device *dev, const struct wanted *w)
{
	bool super = w->speed >= BACKEND_SPEED_SUPER;
	bool low = w->speed == BACKEND_SPEED_LOW;
	const struct fake_model *m = dev->model;
	uint8_t all[1024 + MORE_MAX] = {
		18, 1, 0, super ? 3 : 2, m->class_code[0], m->class_code[1],
		m->class_code[2], super ? 9 : low ? 8 : 64,
		w->vendor & 0xff, w->vendor >> 8, w->product & 0xff,
		w->product >> 8, 0, 1, 1, 2, *w->serial ? 3 : 0, 0,
	};
	size_t len;
	int r;

	len = 18 + m->configs(w->speed, all + 18, 1024 - 18);
	len = add_more(all, len, w->more);
	for (size_t at = 18; at < len; at += all[at + 2] | all[at + 3] << 8)
		all[17]++;
	r = descriptors_parse(&dev->info.descriptors, all, len);
	if (!r && super)
		r = descriptors_set_bos(&dev->info.descriptors, bos,
					sizeof(bos));
	dev->info.configuration = all[18 + 5];
	return r;
}

static int add_device(struct script *s, const struct fake_model *model,
		      const char *busid, const struct wanted *w)
{
	struct fake_device *dev;
	int r;

	r = fake_add(s->fake, model, busid, &dev);
	if (r)
		return r;
	dev->noted = w->noted;
	dev->info.speed = w->speed;
	snprintf(dev->info.manufacturer, sizeof(dev->info.manufacturer), "%s",
		 model->manufacturer_name);
	snprintf(dev->info.product, sizeof(dev->info.product), "%s",
		 w->product_name);
	snprintf(dev->info.serial, sizeof(dev->info.serial), "%s", w->serial);
	r = make_descriptors(dev, w);
	if (!r && model->init)
		r = model->init(dev, w->size);
	if (!r)
		fake_start(dev, w->plugged);
	return r;
}

static int parse_device(struct script *s)
{
	const char *busid = next_word(s), *name = next_word(s);
	const struct fake_model *model = NULL;
	struct wanted w = { .serial = "", .size = 16, .plugged = true,
			    .noted = true };
	char *word;

	if (!busid || !name || strlen(busid) > 31 || fake_find(s->fake, busid))
		return complain(s, "device wants a new bus id and a model",
				busid);
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (!strcmp(models[i]->name, name))
			model = models[i];
	if (!model)
		return complain(s, "no such model", name);
	w.speed = model->speed;
	w.vendor = model->vendor;
	w.product = model->product;
	w.product_name = model->product_name;
	while ((word = next_word(s)))
		if (!parse_option(word, &w))
			return complain(s, "not an option of device", word);
	return add_device(s, model, busid, &w);
}

static int parse_at(struct script *s)
{
	const char *when = next_word(s), *what = next_word(s);
	const char *busid = next_word(s);
	struct fake_device *dev = busid ? fake_find(s->fake, busid) : NULL;
	unsigned long ms;

	if (!dev || !parse_number(when, 3600000, &ms) ||
	    (strcmp(what, "plug") && strcmp(what, "unplug")))
		return complain(s, "at wants MS plug|unplug BUSID", NULL);
	return fake_at(dev, ms, !strcmp(what, "plug"));
}

static bool parse_endpoint(struct script *s, struct fake_endpoint **ep)
{
	const char *busid = next_word(s), *address = next_word(s);
	struct fake_device *dev = busid ? fake_find(s->fake, busid) : NULL;
	unsigned long value;

	if (!dev || !parse_number(address, 0xff, &value) ||
	    endpoint_row(value) < 0)
		return false;
	*ep = &dev->endpoints[endpoint_row(value)];
	return true;
}

static int parse_delay(struct script *s)
{
	struct fake_endpoint *ep;
	unsigned long ms;

	if (!parse_endpoint(s, &ep) || !parse_number(next_word(s), 60000, &ms))
		return complain(s, "delay wants BUSID ENDPOINT MS", NULL);
	ep->delay_ms = ms;
	return 0;
}

static int parse_fault(struct script *s)
{
	static const char *const kinds[] = {
		[FAKE_FAULT_STALL] = "stall", [FAKE_FAULT_SHORT] = "short",
		[FAKE_FAULT_IO] = "io", [FAKE_FAULT_OVERFLOW] = "overflow",
		[FAKE_FAULT_HANG] = "hang", [FAKE_FAULT_UNPLUG] = "unplug",
		[FAKE_FAULT_NO_ROOM] = "noroom",
		[FAKE_FAULT_PARTIAL] = "partial", [FAKE_FAULT_CUT] = "cut",
		[FAKE_FAULT_SHUTDOWN] = "shutdown",
		[FAKE_FAULT_NO_MEMORY] = "nomemory",
		[FAKE_FAULT_INVAL] = "inval",
	};
	struct fake_endpoint *ep;
	unsigned long after;
	const char *kind;

	if (!parse_endpoint(s, &ep) ||
	    !parse_number(next_word(s), 1 << 20, &after))
		return complain(s, "fault wants BUSID ENDPOINT AFTER KIND", NULL);
	kind = next_word(s);
	for (size_t i = 1; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i], kind)) {
			ep->fault = i;
			ep->fault_after = after;
			return 0;
		}
	return complain(s, "no such fault", kind);
}

static int parse_line(struct script *s, char *line)
{
	static const struct {
		const char *word;
		int (*parse)(struct script *s);
	} statements[] = {
		{ "device", parse_device }, { "at", parse_at },
		{ "delay", parse_delay }, { "fault", parse_fault },
	};
	char *word;

	line[strcspn(line, "#\n")] = 0;
	word = strtok_r(line, " \t", &s->next);
	if (!word)
		return 0;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (!strcmp(statements[i].word, word))
			return statements[i].parse(s);
	return complain(s, "not a statement", word);
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

int fake_script_load(struct fake *fake, const char *file)
{
	_cleanup_(close_file) FILE *f = NULL;
	_cleanup_(cleanup_free) char *line = NULL;
	struct script s = { .fake = fake, .file = file ? file : "built-in" };
	size_t size = 0;
	int r = 0;

	f = file ? fopen(file, "re") :
		   fmemopen((void *)(uintptr_t)built_in, strlen(built_in), "r");
	if (!f) {
		r = -errno;
		log_error("%s: %s", s.file, strerror(-r));
		return r;
	}
	while (!r && getline(&line, &size, f) >= 0) {
		s.line++;
		r = parse_line(&s, line);
	}
	return r;
}
