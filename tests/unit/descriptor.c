// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors: what a well-behaved device says is understood, and no length
 * of one that is not leads out of the bytes.
 */
#include <errno.h>
#include <string.h>

#include "server/descriptor.h"
#include "tests/tap.h"

#define DEVICE 18, 1, 0, 2, 0xef, 2, 1, 64, 0xf4, 0x46, 0x01, 0xa0, 0x34, \
	0x12, 1, 2, 3, 2

/* Two configurations; the first has two interfaces, the second of them with
 * two settings, and a class descriptor in between. */
static const uint8_t good[] = {
	DEVICE,
	9, 2, 57, 0, 2, 1, 0, 0x80, 50,
	9, 4, 0, 0, 1, 8, 6, 0x50, 0,
	7, 5, 0x81, 2, 0, 2, 0,
	9, 4, 1, 0, 0, 2, 2, 0, 0,
	9, 4, 1, 1, 1, 10, 0, 0, 0,
	5, 0x24, 0, 1, 1, 9, 0x25, 0, 0, 0, 0, 0, 0, 0,
	9, 2, 25, 0, 1, 7, 0, 0x80, 50,
	9, 4, 0, 0, 1, 0xff, 0, 0, 0,
	7, 5, 0x02, 3, 8, 0, 10,
};

static void test_good(void)
{
	const struct descriptor_blob *config;
	struct descriptor_interface i;
	struct descriptor_endpoint ep;
	struct descriptors d;
	struct descriptor_walk walk = { 0 };
	int n = 0;

	ok(!descriptors_parse(&d, good, sizeof(good)) && d.n_configs == 2,
	   "two configurations");
	ok(descriptors_vendor(&d) == 0x46f4 && descriptors_product(&d) == 0xa001 &&
	   descriptors_bcd_device(&d) == 0x1234 &&
	   descriptors_class(&d) == 0xef0201, "what the device says of itself");
	ok(!memcmp(d.device, good, 18) && d.configs[0].len == 57 &&
	   !memcmp(d.configs[0].data, good + 18, 57), "byte for byte");
	config = descriptors_config(&d, 7);
	ok(config == &d.configs[1] && !descriptors_config(&d, 2) &&
	   !descriptors_config(&d, 0), "a configuration by its value");
	while (descriptor_next_interface(&d.configs[0], &walk, &i))
		n++;
	ok(n == 3 && i.number == 1 && i.alternate == 1 &&
	   i.class_code == 0x0a0000, "each setting of each interface");
	memset(&walk, 0, sizeof(walk));
	ok(descriptor_next_endpoint(&d.configs[0], &walk, &ep) &&
	   ep.address == 0x81 && ep.attributes == 2 && ep.max_packet == 512 &&
	   ep.interface == 0 &&
	   !descriptor_next_endpoint(&d.configs[0], &walk, &ep), "its endpoint");
	memset(&walk, 0, sizeof(walk));
	ok(descriptor_next_endpoint(config, &walk, &ep) &&
	   ep.address == 0x02 && ep.interval == 10, "and the other's");
	descriptors_deinit(&d);
}

static void test_bad(void)
{
	static const struct {
		const char *name;
		uint8_t bytes[64];
		size_t len;
		int r;
		unsigned int n_configs;
	} tests[] = {
		{ "nothing", { 0 }, 0, -EINVAL, 0 },
		{ "half a device", { DEVICE }, 17, -EINVAL, 0 },
		{ "not a device", { 18, 2 }, 18, -EINVAL, 0 },
		{ "a device, no configuration", { DEVICE }, 18, 0, 0 },
		{ "half a configuration", { DEVICE, 9, 2, 9, 0 }, 22, 0, 0 },
		{ "a configuration shorter than itself",
		  { DEVICE, 9, 2, 8, 0, 1, 1, 0, 0, 0 }, 27, 0, 0 },
		{ "a configuration longer than what is there",
		  { DEVICE, 9, 2, 0xff, 0xff, 1, 1, 0, 0, 0 }, 27, 0, 1 },
		{ "something else in its place",
		  { DEVICE, 9, 4, 9, 0, 1, 1, 0, 0, 0 }, 27, 0, 0 },
	};
	struct descriptors d;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int r = descriptors_parse(&d, tests[i].bytes, tests[i].len);

		ok(r == tests[i].r && (r || d.n_configs == tests[i].n_configs),
		   "%s", tests[i].name);
		if (!r)
			descriptors_deinit(&d);
	}
}

/* Every byte of the good one, wrong in each way: the sanitizers look on. */
static void test_damaged(void)
{
	static const uint8_t wrong[] = { 0, 1, 2, 3, 0x7f, 0x80, 0xff };
	uint8_t bytes[sizeof(good)];
	struct descriptor_interface i;
	struct descriptor_endpoint ep;
	struct descriptors d;
	unsigned int n = 0;

	for (size_t at = 0; at < sizeof(good); at++)
		for (size_t w = 0; w < sizeof(wrong); w++) {
			size_t len = w ? sizeof(good) : at;

			memcpy(bytes, good, sizeof(good));
			bytes[at] = wrong[w];
			if (descriptors_parse(&d, bytes, len))
				continue;
			for (unsigned int c = 0; c < d.n_configs; c++) {
				struct descriptor_walk o = { 0 };

				while (descriptor_next_interface(&d.configs[c],
								 &o, &i))
					n += i.number < DESCRIPTOR_INTERFACES_MAX;
				memset(&o, 0, sizeof(o));
				while (descriptor_next_endpoint(&d.configs[c],
								&o, &ep))
					n += !(ep.address & 0x70);
			}
			descriptors_deinit(&d);
		}
	ok(n > 1000, "each byte wrong in each way");
}

int main(void)
{
	test_good();
	test_bad();
	test_damaged();
	return tap_done();
}
