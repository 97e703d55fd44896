# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build the sanitizer kernel, for ./kernel. About a quarter of an hour of one
# processor; niced, since nobody waits for it with both hands. It is built
# where it stays, so one that was interrupted goes on where it was; the file
# release is written last and says that it is whole.

build_kasan() {
	dir=$LAB_CACHE/kasan
	mkdir -p "$dir/root" "$dir/headers"
	exec 9>"$dir/.lock" && flock 9
	if [ -e "$dir/release" ] &&
		cmp -s "$here/kernel.config" "$dir/config.used"; then
		return 0
	fi
	rm -f "$dir/release"
	[ -d "$dir/source" ] || fetch_source
	kmake allnoconfig
	cat "$here/kernel.config" >>"$dir/headers/.config"
	kmake olddefconfig
	check_config
	say "building the sanitizer kernel: some 15 minutes of one processor"
	kmake bzImage modules
	kmake INSTALL_MOD_STRIP=1 INSTALL_MOD_PATH="$dir/root" modules_install
	rel=$(cat "$dir/headers/include/config/kernel.release")
	cp "$dir/headers/arch/x86/boot/bzImage" "$dir/vmlinuz"
	cp "$here/kernel.config" "$dir/config.used"
	rm -f "$dir"/mods-*.cpio
	echo "$rel" >"$dir/release"
}

fetch_source() {
	say "fetching linux-source-6.1"
	rm -rf "$dir/deb" "$dir/source.part"
	mkdir -p "$dir/deb" "$dir/source.part"
	(cd "$dir/deb" && download linux-source-6.1)
	dpkg-deb -x "$dir"/deb/linux-source*.deb "$dir/deb"
	tar -C "$dir/source.part" --strip-components=1 \
		-xJf "$dir"/deb/usr/src/linux-source-6.1.tar.xz
	mv "$dir/source.part" "$dir/source"
	rm -rf "$dir/deb"
}

kmake() {
	nice -n 19 make -s -C "$dir/source" O="$dir/headers" \
		-j"$(nproc)" "$@" >"$dir/build.log" 2>&1 9>&- || {
		tail -n 20 "$dir/build.log" >&2
		die "make $* failed; all it said is in $dir/build.log"
	}
}

# What an unmet dependency drops silently is not tested with.
check_config() {
	for want in KASAN PROVE_LOCKING DEBUG_KMEMLEAK DEBUG_ATOMIC_SLEEP \
		DEBUG_OBJECTS HARDENED_USERCOPY USB_TEST USB_DUMMY_HCD \
		USB_SERIAL_FTDI_SIO USB_NET_CDCETHER VFAT_FS IPV6 INOTIFY_USER \
		NET_SCH_NETEM INET_DIAG_DESTROY SND_USB_AUDIO USB_VIDEO_CLASS; do
		grep -Eq "^CONFIG_$want=[ym]" "$dir/headers/.config" ||
			die "kernel.config: CONFIG_$want did not take"
	done
}
