# bash completion of nm-session-bridge, which names the candidates itself.

_nm_session_bridge() {
	local program=$1 word before= typed=
	local -a words=()
	[[ $program == "~/"* ]] && program=$HOME/${program#"~/"}
	# Readline takes --flag=value for three words, and a name with a colon.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		if [[ ${#words[@]} -gt 0 && ($word == [=:] || $before == [=:]) ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
		before=$word
	done
	# It replaces only $2, the part behind the =, though a candidate is a whole word.
	typed=${words[-1]}
	local kept=${typed%"$2"} candidate i
	# The program is asked for what the shell will make of the words.
	for i in "${!words[@]}"; do
		case ${words[i]} in
		[\'\"]*) words[i]=${words[i]:1} words[i]=${words[i]%[\'\"]} ;;
		*\\*) IFS= read words[i] <<<"${words[i]}" ;; # takes backslashes away
		esac
	done
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		candidate=${candidate#"${kept#[\'\"]}"}
		[[ $typed == [\'\"]* ]] || candidate=${candidate//\\/\\\\}
		COMPREPLY+=("$candidate")
	done < <("$program" completion words -- "${words[@]}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	return 0
}

complete -F _nm_session_bridge nm-session-bridge
