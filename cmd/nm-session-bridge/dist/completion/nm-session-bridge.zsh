#compdef nm-session-bridge
# zsh completion of nm-session-bridge, which names the candidates itself.

_nm-session-bridge() {
	local line
	local -a plain open
	for line in "${(@f)$(${(Q)~words[1]} completion words -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
		# _describe wants word:description.
		line=${${${line//\\/\\\\}//:/\\:}/$'\t'/:}
		case ${line%%:*} in
		'') ;;
		*=) open+=("$line") ;;
		*) plain+=("$line") ;;
		esac
	done
	local found=1
	_describe -t words 'nm-session-bridge' plain && found=0
	_describe -t flags 'flag' open -S '' && found=0
	return found
}

# Sourced, or autoloaded from a directory of $fpath.
if [[ $funcstack[1] == _nm-session-bridge ]]; then
	_nm-session-bridge "$@"
else
	compdef _nm-session-bridge nm-session-bridge
fi
