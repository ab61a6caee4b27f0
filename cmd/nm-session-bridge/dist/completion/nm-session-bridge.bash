# bash completion of nm-session-bridge, which names the candidates itself.

_nm_session_bridge() {
	local program=$1 word before=
	local -a words=()
	[[ $program == "~/"* ]] && program=$HOME/${program#"~/"}
	# Readline takes --flag=value for three words.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		if [[ ${#words[@]} -gt 0 && ($word == = || $before == =) ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
		before=$word
	done
	# It replaces only $2, the part behind the =, though a candidate is a whole word.
	local kept=${words[-1]%"$2"} candidate
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		COMPREPLY+=("${candidate#"$kept"}")
	done < <("$program" completion words -- "${words[@]}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	return 0
}

complete -F _nm_session_bridge nm-session-bridge
