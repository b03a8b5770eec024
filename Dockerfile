# All of vigie's programs in one image, of which a container runs one: the server (nginx and vigie-fcgi) unless it is told
# otherwise. compose.yaml starts them together; docs/containers.md has the rest.
ARG BASE=debian:trixie-slim

FROM $BASE AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /vigie
COPY deploy/install-deps deploy/
COPY debian/control debian/
RUN deploy/install-deps run
COPY . .
RUN make all && make install DESTDIR=/made PREFIX=/usr && rm -r /made/usr/share && strip /made/usr/bin/*

FROM $BASE
RUN apt-get update && \
	apt-get install -y --no-install-recommends nginx spawn-fcgi libcjson1 libcurl4t64 libfcgi0t64 libinih1 libmnl0 \
		libjs-dygraphs libncursesw6 libproc2-0 libsqlite3-0 libzstd1 zlib1g && \
	rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* && \
	useradd --uid 8000 --user-group --home-dir /var/lib/vigie --create-home --shell /usr/sbin/nologin vigie
COPY --from=build /made /
COPY deploy/run /usr/lib/vigie/deploy/
COPY nginx /usr/lib/vigie/nginx
ENV BUILD=/usr/bin STATE=/var/lib/vigie LISTEN=0.0.0.0 PORT=8000
USER vigie
WORKDIR /var/lib/vigie
VOLUME /var/lib/vigie
EXPOSE 8000
# Of the server; the others have none.
HEALTHCHECK --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PORT && \
printf 'GET /ressources-usage/health HTTP/1.0\\r\\n\\r\\n' >&3 && read -rt 5 _ status _ <&3 && [ \"$status\" = 200 ]"]
CMD ["/usr/lib/vigie/deploy/run", "--server"]
